/**
 * What an engine writes bytes into and reads them from. The engine names programs; compression, hashing,
 * encryption, cutting and upload are behind the sink. Raw bytes go from program to program by descriptor
 * and never enter JavaScript.
 */
import type { Codec } from "../policy/model.ts";
import type { Artifact } from "./manifest.ts";

/** One program to run. No shell; secrets go by environment or file, never in `argv`. */
export interface Command {
  readonly argv: readonly [string, ...string[]];
  /** Added to a small allow-list of the parent's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Run as this user (needs root); for programs that refuse root. */
  readonly user?: string;
}

export interface ArtifactOutcome {
  readonly artifact: Artifact;
  /** What the program said on stderr, redacted, at most 64 KiB, from its end. */
  readonly stderr: string;
}

export interface ArtifactSink {
  /**
   * Runs `command`, stores its standard output compressed and encrypted as artifact `name`.
   * @throws tool-failed when a program of the chain fails or dies by a signal (nothing of the artifact is
   *   then in the manifest); empty-backup when it printed no byte; store-* when the store fails.
   */
  fromCommand(name: string, command: Command): Promise<ArtifactOutcome>;
  /** The same for a file on disk; `codec` "none" for one that is compressed already. */
  fromFile(name: string, path: string, codec?: Codec): Promise<ArtifactOutcome>;
  /** For small texts made in memory, at most 8 MiB. */
  fromBytes(name: string, bytes: Uint8Array): Promise<ArtifactOutcome>;
}

export interface ArtifactSource {
  /** Decrypts and decompresses artifact `name` into the standard input of `command`. @throws as above, data-damaged, key-missing, key-wrong, object-missing. */
  intoCommand(artifact: Artifact, command: Command): Promise<{ readonly stderr: string }>;
  /** Decrypts and decompresses into a new file; the file appears whole or not at all. */
  intoFile(artifact: Artifact, path: string): Promise<void>;
  /** For small artifacts, at most 8 MiB of decoded bytes. */
  bytes(artifact: Artifact): Promise<Uint8Array>;
}

/** Raw progress of long work; the receiver decides how often to show it. */
export interface Progress {
  readonly step: string;
  readonly doneBytes: number;
  /** Undefined when nobody knows. */
  readonly totalBytes?: number;
}
