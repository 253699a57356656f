// Runs in a page under test before anything else: the page can say when nothing that it has begun is still to come.
//
// Counted are short timers, calls of the app's endpoints, and messages to oneself; a test waits for what it knows to be
// pending, and never for a time. Not counted are timers of more than a second (a connection that is silent, a label
// that goes back), Gradio's streams, and frames, which a page may ask for without end.

(() => {
  const LONG = 1000; // ms
  const FASTER = 10; // how much faster short timers run: a pause of the page is for people, who type and read
  const PATIENCE = 100000; // ms; then it says what it still waits for
  const timers = new Map(); // id -> ms
  const calls = new Map(); // token -> address
  let begun = 0; // how many things the page has ever set off

  const real = {
    setTimeout: window.setTimeout.bind(window),
    clearTimeout: window.clearTimeout.bind(window),
    fetch: window.fetch.bind(window),
    post: MessagePort.prototype.postMessage,
  };

  // Set by a test that holds something back: timers of so many ms or more do not begin; answers are not waited for.
  window.held = { timers: Infinity, answers: false };

  window.setTimeout = (run, ms = 0, ...args) => {
    if (ms >= window.held.timers) return 0;
    const isShort = ms <= LONG;
    const id = real.setTimeout(
      () => {
        timers.delete(id);
        return run(...args);
      },
      isShort ? ms / FASTER : ms,
    );
    if (isShort) {
      timers.set(id, ms);
      begun++;
    }
    return id;
  };
  for (const name of ["clearTimeout", "clearInterval"]) {
    window[name] = (id) => {
      timers.delete(id);
      real.clearTimeout(id); // the two are one list
    };
  }

  MessagePort.prototype.postMessage = function (...args) {
    begun++;
    return real.post.apply(this, args);
  };

  /** Counts until the promise is settled. */
  function count(promise, address) {
    const token = Symbol(address);
    calls.set(token, address);
    begun++;
    const over = () => calls.delete(token);
    promise.then(over, over);
    return promise;
  }

  const asked = /\/gradio_api\/(run|queue\/join)/;
  window.fetch = (to, ...args) => {
    const address = String(to?.url ?? to);
    const answer = real.fetch(to, ...args);
    return asked.test(address) ? count(answer, address) : answer;
  };
  // The head of an answer is there before its body.
  for (const name of ["json", "text"]) {
    const read = Response.prototype[name];
    Response.prototype[name] = function () {
      return count(read.call(this), this.url);
    };
  }

  const frame = () => new Promise(requestAnimationFrame);
  const channel = new MessageChannel();
  /** Until the messages that were sent before are heard: they come in turn. */
  const heard = () =>
    new Promise((done) => {
      channel.port1.onmessage = done;
      real.post.call(channel.port2, null);
    });

  /** Transitions that end; an animation without end, such as a spinner's, does not count. */
  const moving = () =>
    document
      .getAnimations()
      .filter((one) => one.playState === "running" && one.effect?.getComputedTiming().endTime < 10 * LONG);

  const pending = () => [
    ...[...timers.values()].map((ms) => `a timer of ${ms} ms`),
    ...(window.held.answers ? [] : calls.values()),
    ...moving().map((one) => `${one.constructor.name} ${one.transitionProperty ?? one.animationName}`),
  ];

  /** Until all is done that the page has set off: said, asked, answered and drawn. */
  window.untilIdle = async () => {
    for (const end = performance.now() + PATIENCE; ;) {
      const before = begun;
      for (let i = 0; i < 2; i++) {
        await frame();
        await heard();
      }
      const left = pending();
      if (!left.length && begun === before) return;
      if (performance.now() > end) throw new Error(`The page is still busy: ${left.join(", ")}`);
    }
  };
})();
