// The row under the text: the link (link.js).
import * as link from "./link.js";

export function mount(root, told, trigger) {
  link.mount(root, told, trigger);
}
