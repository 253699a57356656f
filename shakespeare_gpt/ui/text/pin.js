// The text stays in sight: when its place is scrolled away, it stands at the upper edge of the window, over what is read.

import { find } from "../core/text.js";

/** @param {HTMLElement} root */
export function mount(root) {
  const place = find(root, ".sg-place");
  const paper = find(place, ".sg-paper");
  // A window without a lower edge: only what lies above it is out of sight.
  const options = { rootMargin: "0px 0px 1000000px 0px", threshold: [0.9, 1] };
  new IntersectionObserver((entries) => {
    const { intersectionRatio, boundingClientRect } = entries[entries.length - 1];
    const { height } = boundingClientRect;
    if (!height) return; // hidden
    const pinned = intersectionRatio < 0.99;
    place.style.height = pinned ? `${height}px` : ""; // so that nothing moves
    paper.classList.toggle("sg-pinned", pinned);
    document.documentElement.classList.toggle("sg-text-pinned", pinned);
  }, options).observe(place);
}
