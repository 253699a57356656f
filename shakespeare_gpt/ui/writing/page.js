// The frame of the page: what was written and how, several continuations side by side, Write on, Copy.
// Text from outside goes into the page through textContent alone.

window.shakespeare = window.shakespeare || {};

window.shakespeare.page = (() => {
  const make = (tag, className, text = "") => {
    const node = document.createElement(tag);
    node.className = className;
    node.textContent = text;
    return node;
  };

  // The text on show, {text, prompt: how many of its characters were typed}; the explorer knows it.
  const shown = () => {
    const typed = document.querySelector("#prompt textarea")?.value ?? "";
    return window.shakespeare.text?.() ?? { text: typed, prompt: typed.length };
  };

  let run = null; // the latest run: what its lines told so far, see `write` in endpoints.py
  let lines = ""; // the lines that were read
  let stopped = false; // by the visitor: then it never tells that it is done
  let chosen = 0; // which of several continuations the explorer shows
  let draw = () => {};

  // Is this an account from its first line on? After Clear, Gradio may still append to nothing what was on its way.
  function begins(value) {
    try {
      return Boolean(JSON.parse(value.split("\n", 1)[0]).seeds);
    } catch {
      return false;
    }
  }

  // Reads what is new in the account of a run.
  function read(value) {
    if (!lines || !value.startsWith(lines)) {
      if (!begins(value)) return;
      [run, lines, stopped, chosen] = [null, "", false, 0];
      window.shakespeare.taken?.();
    }
    for (const line of value.slice(lines.length).split("\n").filter(Boolean)) {
      const { texts = [], steps = [], ...about } = JSON.parse(line);
      const samples = run?.samples ?? about.seeds.map((seed) => ({ seed, text: "", steps: [] }));
      run = { done: false, ...run, ...about, samples };
      texts.forEach((text, i) => {
        samples[i].text += text;
        for (const [probability, rank, entropy, start] of steps[i]) {
          samples[i].steps.push({ probability, rank, entropy, start });
        }
      });
    }
    lines = value;
  }

  // Draws the line under the buttons and the cards, whenever the run tells something new.
  function result(element, props, watch) {
    const part = (name) => element.querySelector(`.run-${name}`);
    draw = () => {
      const ended = !run || run.done || stopped;
      document.body.toggleAttribute("data-writing", !ended);
      part("status").textContent = run ? sentence() : "";
      if (ended) part("spoken").textContent = part("status").textContent; // for screen readers, once a run
      drawCards(part("cards"), ended);
    };
    const changed = () => {
      // After Stop nothing more is shown, although a little may still be on its way.
      if (stopped && lines && props.value?.startsWith(lines)) return;
      if (props.value) {
        read(props.value);
        if (run) show();
      } else {
        [run, stopped] = [null, true];
      }
      draw();
    };
    watch("value", changed);
    changed();
  }

  // Hands the chosen continuation to the explorer.
  function show() {
    const { samples, ...about } = run;
    window.shakespeare.generated?.({ ...about, ...samples[chosen] });
  }

  function sentence() {
    const { seeds, seconds, samples } = run;
    const state = run.done ? "Wrote" : stopped ? "Stopped after" : "Writing:";
    const several = samples.length > 1;
    const which = several ? `seeds ${seeds[0]} to ${seeds.at(-1)}` : `seed ${seeds[0]}`;
    return `${state} ${samples[0].text.length} characters${several ? " each" : ""} in ${seconds.toFixed(1)} s, ${which}.`;
  }

  // Several continuations stand side by side; a single one is in the strip alone.
  function drawCards(cards, ended) {
    const samples = run?.samples.length > 1 ? run.samples : [];
    while (cards.children.length > samples.length) cards.lastChild.remove();
    samples.forEach((sample, i) => {
      const card = cards.children[i] ?? cards.appendChild(newCard(i));
      card.classList.toggle("chosen", i === chosen);
      card.querySelector(".run-seed").textContent = `Seed ${sample.seed}`;
      const button = card.querySelector("button");
      button.disabled = !ended; // until then the explorer follows the first
      button.setAttribute("aria-pressed", i === chosen);
      button.textContent = i === chosen ? "Shown below" : "Show this one";
      const text = card.querySelector(".run-text");
      if (text.textContent !== sample.text) text.textContent = sample.text;
    });
  }

  function newCard(i) {
    const card = make("article", "run-card");
    card.setAttribute("aria-label", `Continuation ${i + 1}`);
    const button = make("button", "run-choose");
    button.type = "button";
    button.addEventListener("click", () => {
      chosen = i;
      draw();
      show();
    });
    const top = make("header", "");
    top.append(make("span", "run-seed"), button);
    const text = make("div", "run-text");
    text.tabIndex = 0; // a long one scrolls, with the arrow keys too
    text.setAttribute("role", "region");
    text.setAttribute("aria-label", `Text of continuation ${i + 1}`);
    card.append(top, text);
    return card;
  }

  // The inputs of Write on: the end of the text on show as the prompt, and where it stands in that text.
  function writeOn(prompt, place, ...settings) {
    const { text, prompt: typed } = shown();
    const sent = text.slice(-2000);
    const before = Math.min(sent.length, text.length - typed);
    return [sent, { offset: text.length - sent.length, before }, ...settings];
  }

  // The text box has changed; the explorer knows whether by an example, Clear, a link or by typing.
  function typed(text) {
    window.shakespeare.setText?.(text);
  }

  // The sampler's settings are part of the View: what a link carries, and what the candidates are drawn with.
  function sampling(samples, length, temperature, top_k, top_p, seed) {
    window.shakespeare.view?.set({ sampling: { temperature, top_k, top_p, seed, length, samples } });
  }

  function stop() {
    stopped ||= Boolean(run) && !run.done;
    draw();
    window.shakespeare.stopped?.();
  }

  // The run was broken off: by a message that Gradio shows, or by a lost connection.
  function failed() {
    if (run && !run.done) stop();
  }

  async function copy() {
    const { text } = shown();
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // In a frame the clipboard may be closed to scripts; selecting and copying is not.
      const area = make("textarea", "run-spoken");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    const button = document.querySelector("#copy");
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy text"), 1500);
  }

  return { result, writeOn, typed, sampling, stop, failed, copy };
})();
