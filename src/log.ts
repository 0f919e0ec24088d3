/** What the rooms log through: a contract, so that pure rooms never meet a stream. `cli` builds the real one. */

export interface Logger {
  debug(message: string, facts?: Readonly<Record<string, unknown>>): void;
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
  error(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

/** Drops everything; for tests and for verbs whose output is one document. */
export const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
