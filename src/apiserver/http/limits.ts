import { tooLarge } from "#machinery/status.ts";

/** Largest request body, as upstream. */
export const MAX_BODY_BYTES = 3_145_728;

export const requestEntityTooLarge = (why: string) => tooLarge(`Request entity too large: ${why}`);

export const bodyTooLarge = () => requestEntityTooLarge(`limit is ${MAX_BODY_BYTES}`);
