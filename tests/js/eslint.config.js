// What eslint looks at: mistakes, not looks (prettier has those).

import js from "@eslint/js";
import globals from "globals";

// Globals of the browser with everyday names. Nobody may use them, so a local or a function may be called so; of all
// other globals a local that has the same name would be taken for the browser's.
const FREE = [
  "closed",
  "event",
  "find",
  "focus",
  "length",
  "model",
  "name",
  "open",
  "prompt",
  "status",
  "stop",
  "top",
];

const shared = {
  "no-unused-vars": ["error", { ignoreRestSiblings: true, argsIgnorePattern: "^_" }],
  "no-implicit-globals": "error",
  "no-implicit-coercion": "error",
  "no-throw-literal": "error",
  "no-var": "error",
  "prefer-const": ["error", { destructuring: "all" }],
  eqeqeq: "error",
};

export default [
  { ignores: ["**/plotly.min.js", "**/node_modules/"] },
  js.configs.recommended,
  {
    files: ["shakespeare_gpt/ui/**/*.js"],
    languageOptions: { globals: globals.browser },
    rules: {
      ...shared,
      "no-restricted-globals": ["error", ...FREE],
      "no-restricted-properties": [
        "error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML"].map((property) => ({
          property,
          message: "Text gets into the page through textContent alone.",
        })),
      ],
      "no-shadow": ["error", { builtinGlobals: true, hoist: "all", allow: FREE }],
    },
  },
  {
    files: ["tests/js/**/*.js"],
    languageOptions: { globals: globals.nodeBuiltin },
    rules: { ...shared, "no-shadow": ["error", { hoist: "all" }] },
  },
];
