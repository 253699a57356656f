// An error in one piece of the page: said where a developer and the browser's own reports find it; the others go on.

/** Report an error like an uncaught one. @param {unknown} error */
export const report = (error) => (globalThis.reportError ?? console.error)(error);
