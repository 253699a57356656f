"""The tab "What if?": switches, the comparison, the banner, the claims; and the other views stay as they are."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import shakespeare_gpt as sg
from pages import glyph, held, settle, type_text, z
from shakespeare_gpt.experiments import compare, read_prices, text_loss
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.sampling import Sampling
from shakespeare_gpt.ui.what_if.claims import CLAIMS

COMPARED = """wanted => {
  const part = id => document.querySelector(`#what-if-${id}`);
  return JSON.stringify(shakespeare.view.get().intervention) === JSON.stringify(wanted)
    && !part('result').hidden && !part('result').hasAttribute('aria-busy')
    && part('divergence').data && part('difference').data && part('next').children.length > 1;
}"""


@pytest.fixture
def what_if(page):
    page.get_by_role("tab", name="What if?").first.click()
    page.wait_for_selector("#what-if-grid button")
    yield page
    page.evaluate(
        "() => { document.querySelector('[name=wi-whose][value=most]').checked = true;"
        " shakespeare.view.set({intervention: {}}); }"
    )


def compared(page, **intervention) -> None:
    page.wait_for_function(COMPARED, arg=intervention)


def figures(page, name: str) -> list[float]:
    """The numbers of a row of the table."""
    rows = page.locator("#what-if-numbers tbody tr").filter(has_text=name)
    return [float(text) for text in rows.first.locator("td").all_text_contents() if text]


def near(*values: float):
    return pytest.approx([float(value) for value in values], abs=1.1e-4)


def expected(page, model, told: dict):
    return compare(
        model, page.evaluate("shakespeare.session.get().window.text"), Intervention.from_json(told, 6, 6)
    )


def test_nothing_is_off_at_first(what_if):
    assert what_if.locator("#what-if-banner").is_hidden()
    assert what_if.locator("#what-if-result").is_hidden()
    assert what_if.locator("#what-if-nothing").is_visible()
    assert what_if.locator("#what-if-grid [aria-pressed='true']").count() == 0
    assert what_if.locator("#what-if-grid .wi-cell").count() == 6 * 9


def test_several_switches_compose_and_the_banner_names_them(what_if):
    page = what_if
    page.locator("[data-switch='heads_off'][data-at='[2,3]']").click()
    assert page.locator("#what-if-banner").is_visible()
    assert "layer 2 head 3" in page.locator("#what-if-banner p").text_content()
    assert "Left = as trained, right = changed" in page.locator("#what-if-banner p").text_content()
    page.locator("[data-switch='no_mask']").check()
    page.get_by_role("button", name="Switch all heads of layer 4").click()
    page.get_by_role("button", name="Switch the feed-forward of all layers").click()
    page.locator("[data-switch='norm_off'][data-at='1']").click()
    told = {
        "heads_off": [[2, 3], *([4, head] for head in range(1, 7))],
        "no_mask": True,
        "feed_forward_off": [1, 2, 3, 4, 5, 6],
        "norm_off": [1],
    }
    compared(page, **told)
    assert Intervention.from_json(told, 6, 6).to_json() == told
    banner = page.locator("#what-if-banner p").text_content()
    for part in (
        "the causal mask",
        "all heads of layer 4",
        "feed-forward of all layers",
        "layer norms of layer 1",
    ):
        assert part in banner
    page.get_by_role("button", name="Switch all heads of layer 4").click()
    page.locator("[data-switch='heads_off'][data-at='[2,3]']").click()
    assert "heads_off" not in page.evaluate("shakespeare.view.get().intervention")
    page.get_by_role("button", name="Everything on again").click()
    page.wait_for_function("() => document.querySelector('#what-if-banner').hidden")
    assert page.evaluate("shakespeare.view.get().intervention") == {}
    assert page.locator("#what-if-result").is_hidden()


@pytest.mark.parametrize("told", [{"heads_off": [[1, 5]]}, {"no_mask": True, "no_scale": True}], ids=str)
def test_the_comparison_shows_both_models_numbers(what_if, model, told):
    page = what_if
    page.evaluate("document.querySelector('[name=wi-whose][value=chosen]').checked = true")
    page.evaluate("told => shakespeare.view.set({layer: 2, head: 1, position: 30, intervention: told})", told)
    compared(page, **told)
    page.wait_for_function(
        "() => document.querySelector('#what-if-maps-heading').textContent.includes('layer 2 head 1')"
    )
    wanted = expected(page, model, told)
    left, right = wanted.before.attention[1, 0], wanted.after.attention[1, 0]
    below = np.tri(len(left)) > 0
    drawn = z(page, "what-if-before")
    assert np.isnan(drawn[~below]).all()
    np.testing.assert_allclose(drawn[below], left[below], atol=1e-6)
    full = np.ones_like(below) if "no_mask" in told else below
    np.testing.assert_allclose(z(page, "what-if-after")[full], right[full], atol=1e-6)
    np.testing.assert_allclose(z(page, "what-if-difference")[full], (right - left)[full], atol=1e-6)
    least, most = page.evaluate(
        "(({cmin, cmax}) => [cmin, cmax])(document.querySelector('#what-if-difference').layout.coloraxis)"
    )
    assert least == -most and most == pytest.approx(np.abs(right - left).max(), rel=1e-3)
    row = "Row of 't' at 30 in layer 2 head 1: "
    assert figures(page, "KL divergence of the prediction after 't' at 30, nats") == near(
        wanted.divergence[29]
    )
    assert figures(page, row + "entropy, nats") == near(*(values[1, 0, 29] for values in wanted.entropies))
    assert figures(page, row + "largest weight") == near(
        *(values[1, 0, 29] for values in wanted.largest_weights)
    )
    assert figures(page, row + "weight on later characters") == near(0, wanted.future_weight[1, 0, 29])
    assert figures(page, "All rows and heads: mean weight on later characters") == near(
        0, wanted.future_weight.mean()
    )
    p, q = (probabilities[29] for probabilities in wanted.probabilities)
    best = model.tokenizer.vocabulary[int(p.argmax())]
    title = page.locator(f'#what-if-next [data-next="{best}"]').get_attribute("title")
    before, after = (float(number) for number in re.findall(r"(?:trained|changed) ([\d.]+)", title))
    assert [before, after] == near(p.max(), q[p.argmax()])
    bars = page.evaluate("document.querySelector('#what-if-divergence').data[0].y")
    np.testing.assert_allclose(bars, wanted.divergence, rtol=1e-3, atol=1e-6)


def test_the_banner_says_what_came_of_it_and_the_maps_show_the_head_that_changed_most(what_if, model):
    page = what_if
    page.locator("[data-switch='heads_off'][data-at='[1,6]']").click()
    compared(page, heads_off=[[1, 6]])
    wanted = expected(page, model, {"heads_off": [[1, 6]]})
    verdict = page.locator("#what-if-verdict").text_content()
    losses = [text_loss(model, seen).mean() for seen in (wanted.before, wanted.after)]
    assert f"Loss on this text {losses[0]:.2f} → {losses[1]:.2f} nats a character" in verdict
    p = wanted.probabilities[0][-1]
    best = int(p.argmax())
    assert f"'{glyph(model.tokenizer.vocabulary[best])}' after" in verdict and f"{p[best]:.0%}" in verdict
    moved = wanted.looked_elsewhere
    moved[0, 5] = 0
    layer, head = np.unravel_index(moved.argmax(), moved.shape)
    assert f"layer {layer + 1} head {head + 1}" in page.locator("#what-if-maps-heading").text_content()
    page.locator("[name=wi-whose][value=chosen]").check()
    page.wait_for_function(
        "document.querySelector('#what-if-maps-heading').textContent.includes('layer 1 head 1')"
    )
    # In sight of the switches, under the text.
    page.locator("#what-if-grid").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#what-if-grid').scrollIntoView({block: 'end'})")
    settle(page)
    box = page.locator("#what-if-verdict").bounding_box()
    assert 0 < box["y"] < page.viewport_size["height"] - box["height"]
    page.locator("#what-if-banner button").click()
    settle(page)
    assert page.locator("#what-if-banner").is_hidden()


def test_what_each_thing_costs_alone_stands_beside_what_they_cost_together(what_if, model):
    page = what_if
    page.locator("[data-switch='heads_off'][data-at='[1,6]']").click()
    compared(page, heads_off=[[1, 6]])
    assert page.locator("#what-if-alone").is_hidden()  # a single thing is alone already
    page.locator("[data-switch='heads_off'][data-at='[4,4]']").click()
    compared(page, heads_off=[[1, 6], [4, 4]])
    text = page.evaluate("shakespeare.session.get().window.text")
    before, one, other, both = (
        text_loss(model, sg.trace(model, text, Intervention(heads_off=heads))).mean()
        for heads in ((), {(0, 5)}, {(3, 3)}, {(0, 5), (3, 3)})
    )
    wanted = [one - before, other - before, one + other - 2 * before, both - before]
    page.wait_for_function("document.querySelectorAll('#what-if-alone tr').length === 4")
    shown = page.locator("#what-if-alone td").all_text_contents()
    assert [float(each.replace("−", "-")) for each in shown] == pytest.approx(wanted, abs=6e-4)
    said = page.locator("#what-if-alone-said").text_content()
    gap = wanted[3] - wanted[2]
    assert ("add up" if abs(gap) < 0.01 else "more than the sum" if gap > 0 else "less than the sum") in said


def test_both_continuations_have_the_same_seed(what_if, model):
    page = what_if
    page.evaluate(
        "shakespeare.view.set({intervention: {norm_off: [3]}, sampling: {temperature: 0.5, top_k: 0, top_p: 1, seed: 11}})"
    )
    compared(page, norm_off=[3])
    page.wait_for_function(
        "() => [...document.querySelectorAll('#what-if .wi-text')]"
        ".every(side => side.textContent.length === 100 && !side.classList.contains('wi-old'))"
    )
    text = page.evaluate("shakespeare.session.get().window.text")
    wanted = compare(model, text, Intervention(norm_off={2}), None, 100, Sampling(0.5), seed=11)
    for side, continuation in zip(("before", "after"), wanted.continuations, strict=True):
        assert page.locator(f"#what-if-written-{side}").evaluate("side => side.textContent") == continuation
    assert "seed 11" in page.locator("#what-if-seed").text_content()


def test_an_experiment_changes_no_other_view(what_if, watched):
    page = what_if
    looks = """() => {
      const {layers, window} = shakespeare.session.get();
      const text = id => document.querySelector(id).textContent;
      const pictures = [...document.querySelectorAll('#head-grid canvas')].map(canvas => canvas.toDataURL());
      return [window.text, [...layers[1].value.weights[0]].slice(0, 50), text('#said'), pictures];
    }"""
    page.evaluate("shakespeare.view.set({layer: 2, head: 1, position: 12})")
    settle(page)
    before = page.evaluate(looks)
    watched.calls.clear()
    page.locator("[data-switch='no_positions']").check()
    compared(page, no_positions=True)
    assert page.evaluate(looks) == before
    assert set(watched.calls) <= {"run/what_if", "run/what_if_continuation"}
    page.get_by_role("tab", name="The layer").first.click()
    settle(page)
    assert page.evaluate(looks) == before


@pytest.mark.parametrize("claim", ["positions", "order", "head"])
def test_a_claim_is_one_click(what_if, claim):
    page = what_if
    page.evaluate("shakespeare.view.set({layer: 3, head: 2, position: null})")
    page.locator(f"[data-claim='{claim}']").click()
    page.wait_for_selector("#what-if-claim [data-holds]")
    assert page.locator("#what-if-claim h2").text_content() == CLAIMS[claim].title
    assert page.locator("#what-if-claim [data-holds='false']").count() == 0
    assert page.locator(f"[data-claim='{claim}']").get_attribute("aria-pressed") == "true"
    assert page.locator("#what-if-claim table").count() == (claim == "order")
    if claim == "head":
        # Looked at from another head, the experiment stays the same.
        page.evaluate("shakespeare.view.set({head: 5})")
        page.locator("[name=wi-whose][value=chosen]").check()
        compared(page, heads_off=[[3, 2]])
        assert np.nanmax(np.abs(z(page, "what-if-difference"))) == 0
    if claim == "positions":
        page.get_by_role("button", name="Choose layer 1").click()
        page.wait_for_function("() => shakespeare.view.get().layer === 1")
    page.locator("[data-switch='uniform_attention']").check()
    page.wait_for_function("() => document.querySelector('#what-if-claim').hidden")
    assert page.locator("[data-claim][aria-pressed='true']").count() == 0


def test_the_grid_is_used_with_the_keyboard(what_if):
    page = what_if
    page.locator("[data-switch='heads_off'][data-at='[1,1]']").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    assert page.evaluate("shakespeare.view.get().intervention") == {"heads_off": [[3, 2]]}
    cell = page.locator("[data-switch='heads_off'][data-at='[3,2]']")
    assert cell.get_attribute("aria-pressed") == "true"
    assert cell.get_attribute("aria-label").startswith("Layer 3 head 2: off")


def test_it_follows_the_text(what_if):
    page = what_if
    page.locator("[data-switch='no_scale']").check()
    compared(page, no_scale=True)
    type_text(page, "<b>To be</b>;")
    length = page.evaluate("shakespeare.session.get().window.length")
    page.wait_for_function(
        "length => document.querySelector('#what-if-next-heading').textContent.endsWith(`';' at ${length}`)"
        " && document.querySelector('#what-if-before').data[0].z.length === length",
        arg=length,
    )
    assert page.locator("#what-if b").count() == page.locator("#what-if-claim b").count()


@pytest.mark.parametrize("path", ["", "?__theme=dark"])
def test_it_fits_a_telephone(open_page, path):
    page = open_page(path, viewport={"width": 390, "height": 844}, has_touch=True)
    page.evaluate("shakespeare.view.set({tab: 'What if?', intervention: {no_mask: true}})")
    compared(page, no_mask=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_switch_beats_a_claim_that_is_on_its_way(what_if):
    page = what_if
    page.evaluate(
        """() => {
          document.querySelector("[data-claim='residual']").click();
          document.querySelector("[data-switch='no_scale']").click();
        }"""
    )
    compared(page, no_scale=True)
    settle(page)
    assert page.evaluate("shakespeare.view.get().intervention") == {"no_scale": True}
    assert page.locator("#what-if-claim").is_hidden()


def test_the_grid_shows_what_each_part_is_worth(what_if, model):
    page = what_if
    page.locator("#what-if-prices input").check()
    told = {entry["name"]: entry["price"] for entry in read_prices(model)["prices"]}
    for name, switch, at in (
        ("Layer 2 head 3 off", "heads_off", "[2,3]"),
        ("Feed-forward of layer 4 off", "feed_forward_off", "4"),
        ("Layer norms of layer 1 off", "norm_off", "1"),
    ):
        cell = page.locator(f".wi-cell[data-switch='{switch}'][data-at='{at}']")
        assert cell.text_content().replace("−", "-") == str(math.floor(told[name] * 1000 + 0.5))
        assert f"worth {told[name]:.4f}" in cell.get_attribute("aria-label")
    page.locator("#what-if-prices input").uncheck()
    assert cell.text_content() == "on"


def test_figures_still_listen_when_the_tab_was_left_and_opened_again(what_if):
    """Hidden figures are taken down, and their listeners with them."""
    page = what_if
    page.locator("[data-switch='heads_off'][data-at='[1,1]']").click()
    compared(page, heads_off=[[1, 1]])
    page.get_by_role("tab", name="The layer").first.click()
    page.wait_for_function("!document.querySelector('#what-if-before').on")
    type_text(
        page, page.evaluate("shakespeare.view.get().text") + "x"
    )  # and back: the same text, another window
    type_text(page, page.evaluate("shakespeare.view.get().text")[:-1])
    page.get_by_role("tab", name="What if?").first.click()
    compared(page, heads_off=[[1, 1]])
    page.wait_for_function("Boolean(document.querySelector('#what-if-before').on)")
    settle(page)
    for figure in ("before", "after", "difference", "divergence"):
        assert page.locator(f"#what-if-{figure} .main-svg").count(), figure
    page.locator("#what-if-before").scroll_into_view_if_needed()
    x, y = page.evaluate(
        """() => {
          const figure = document.querySelector('#what-if-before'), box = figure.getBoundingClientRect();
          const {xaxis, yaxis} = figure._fullLayout;
          return [box.left + xaxis._offset + xaxis.l2p(5), box.top + yaxis._offset + yaxis.l2p(30)];
        }"""
    )
    page.mouse.move(x - 2, y)
    page.mouse.move(x, y)
    page.wait_for_function(
        "document.querySelector('#what-if-pointed').textContent.includes('at 30 looks at')"
    )
    page.mouse.click(x, y)
    page.wait_for_function("shakespeare.view.get().position === 30")


def test_elsewhere_a_note_says_that_something_is_off(what_if):
    page = what_if
    page.locator("[data-switch='heads_off'][data-at='[1,1]']").click()
    settle(page)
    assert "switched off" not in page.locator("#notes").text_content()  # the banner is here
    page.get_by_role("tab", name="The layer").first.click()
    settle(page)
    assert "the model as trained" in page.locator("#notes").text_content()


def test_a_claim_that_is_on_its_way_is_tested_on_the_new_text(what_if):
    page = what_if
    with held(page, "claim") as routes:
        page.locator("[data-claim='positions']").click()
        settle(page)
        type_text(page, "KING:\nNo, no, no, no: not now, my noble lord!")
    page.wait_for_selector("#what-if-claim [data-holds]")
    asked = [route.request.post_data_json["data"][0] for route in routes]
    assert len(asked) == 2 and asked[1].startswith("KING")


def test_a_continuation_that_fails_leaves_no_old_text(what_if):
    page = what_if
    page.locator("[data-switch='heads_off'][data-at='[1,1]']").click()
    compared(page, heads_off=[[1, 1]])
    page.wait_for_function("document.querySelector('#what-if-written-after').textContent.length === 100")
    broken = {"status": 200, "content_type": "application/json", "body": '{"data": [null]}'}
    page.route("**/run/what_if_continuation*", lambda route: route.fulfill(**broken))
    page.locator("[data-switch='heads_off'][data-at='[1,2]']").click()
    page.locator("#what-if-problem").wait_for()
    for side in ("before", "after"):
        # Whenever anything else changes it tries again; between two tries nothing stands there.
        page.wait_for_function(
            "id => { const {textContent, classList} = document.getElementById(id);"
            " return textContent === '' && !classList.contains('wi-old'); }",
            arg=f"what-if-written-{side}",
        )
    page.unroute("**/run/what_if_continuation*")
