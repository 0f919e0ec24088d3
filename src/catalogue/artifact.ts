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

/** A place of the store that a tool reads and writes by itself. Holds credentials: never log it. */
export type ToolPlace =
  | { readonly kind: "directory" /** Absolute. */; readonly path: string }
  | {
      readonly kind: "s3";
      /** Empty for the provider's own. */
      readonly endpoint: string;
      readonly region: string;
      readonly bucket: string;
      /** Beginning of every key, ends with "/". */
      readonly keyPrefix: string;
      readonly forcePathStyle: boolean;
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly sessionToken?: string;
    };

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
  /** An empty place under this attempt's own prefix, for a tool that carries the bytes of `name` itself. */
  place(name: string): Promise<ToolPlace>;
  /**
   * Reads in the place of `name` while the tool still writes there, until `signal` aborts, so that `fromPlace` has
   * less to read. It takes files that grow to grow at their end; whatever a tool does otherwise, its point fails the
   * first look at the stored bytes.
   */
  readAhead(name: string, signal: AbortSignal): Promise<void>;
  /**
   * Reads everything the tool has left in the place of `name` back once and makes the artifact of it; the
   * tool must have ended. @throws empty-backup when nothing lies there
   */
  fromPlace(name: string): Promise<ArtifactOutcome>;
  /** One object of an artifact made by `fromPlace`, at most 64 MiB; `path` as of {@link ArtifactSource.carriedBytes}. */
  carriedBytes(name: string, path: string): Promise<Uint8Array>;
}

export interface ArtifactSource {
  /** Decrypts and decompresses artifact `name` into the standard input of `command`. @throws as above, data-damaged, key-missing, key-wrong, object-missing. */
  intoCommand(artifact: Artifact, command: Command): Promise<{ readonly stderr: string }>;
  /** Decrypts and decompresses into a new file; the file appears whole or not at all. */
  intoFile(artifact: Artifact, path: string): Promise<void>;
  /** For small artifacts, at most 8 MiB of decoded bytes. */
  bytes(artifact: Artifact): Promise<Uint8Array>;
  /** Where the objects of a carried artifact lie, with credentials that may read them. */
  place(artifact: Artifact): Promise<ToolPlace>;
  /** One object of a carried artifact, at most 64 MiB; `path` is its key inside the place. @throws data-damaged, object-missing */
  carriedBytes(artifact: Artifact, path: string): Promise<Uint8Array>;
}

/** Raw progress of long work; the receiver decides how often to show it. */
export interface Progress {
  readonly step: string;
  readonly doneBytes: number;
  /** Undefined when nobody knows. */
  readonly totalBytes?: number;
}
