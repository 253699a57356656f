// In node there is no page to bring its facts: core/facts.js finds those of the golden file (node --import ./facts.js).

import { golden } from "./golden.js";

const script = { textContent: JSON.stringify(golden("page_facts")) };
Object.assign(globalThis, { document: { getElementById: () => script } });
