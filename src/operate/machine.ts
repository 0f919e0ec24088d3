/** What the verbs may ask of the machine they run on. `cli/wire.ts` gives the real one. */
export interface Machine {
  /** Full path of a program: in `places` first, then in PATH; undefined when it is nowhere. */
  find(program: string, places?: readonly string[]): Promise<string | undefined>;
  /** Bytes this user may still write below `folder`, which need not exist yet. */
  freeBytes(folder: string): Promise<number>;
  /** Bytes a new process could use, the limits of a container counted. */
  freeMemoryBytes(): number;
  /** Public keys of the private ones at hand; empty when none was given. @throws key-missing for a bad file */
  recipients(): Promise<readonly string[]>;
  /** Where throwaway servers of drills are restored to. */
  readonly workFolder: string;
}
