/** What a check has to say about one place in one file. Positions count from 1, as editors do. */

export type Severity = "error" | "warning" | "info";

/** A half-open range in a text file; `endColumn` is the first column after the token. */
export interface Location {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}

/** A replacement of the bytes in `location` by `text`; made by range so that nothing else is reformatted. */
export interface Fix {
  readonly location: Location;
  readonly text: string;
}

export interface Finding {
  /** Rule id, `group/name`; the page is `docs/rules/<group>-<name>.md`. */
  readonly rule: string;
  readonly severity: Severity;
  readonly location: Location;
  /** One sentence: what is wrong, with the measured facts. Lower case, no final period. */
  readonly message: string;
  /** Why it matters and what to write instead. */
  readonly hint: string;
  readonly fix?: Fix;
}
