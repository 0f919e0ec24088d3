import type { DocumentKind } from "./model.ts";

/** Whether a value is right by the schema of a kind; what is wrong with it, `schemas.ts` says. */
export declare function quickChecks(
  formats: Readonly<Record<string, (text: string) => boolean>>,
): Readonly<Record<DocumentKind, (value: unknown) => boolean>>;
