/** What the parts of the S3 store share: the SDK, loaded on first use, signing, and the plain client. */
import type { S3Client } from "@aws-sdk/client-s3";
import type { ToolPlace } from "../catalogue/artifact.ts";
import type { StoreSettings } from "../policy/model.ts";
import { type RetryOptions, type S3Failure, withRetries } from "./s3-failure.ts";
import { PlainClient } from "./s3-http.ts";

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface S3Options {
  /** Ends every request and every wait. */
  readonly signal?: AbortSignal;
  readonly onRetry?: RetryOptions["onRetry"];
  /** A request on which no byte moves for so long is broken off. */
  readonly idleTimeoutMs?: number;
  readonly retries?: number;
  readonly firstDelayMs?: number;
  readonly retryTotalMs?: number;
}

type Sdk = typeof import("@aws-sdk/client-s3");
type Presigner = typeof import("@aws-sdk/s3-request-presigner");

/** These must travel as headers: as query parameters other servers than AWS's own do not read them. */
const headersToKeep = new Set([
  "x-amz-checksum-crc32",
  "x-amz-meta-holdfast-write",
  "if-match",
  "if-none-match",
]);
const signatureSeconds = 3_600;

export class S3Connection {
  readonly settings: StoreSettings;
  readonly bucket: string;
  readonly http: PlainClient;
  readonly #credentials: S3Credentials;
  readonly #retry: RetryOptions;
  readonly #idleTimeoutMs: number;
  /** Cleared when the server refuses a request for its checksum header. */
  checksums = true;
  #loading: Promise<{ sdk: Sdk; presigner: Presigner; client: S3Client }> | undefined;

  constructor(settings: StoreSettings, credentials: S3Credentials, options: S3Options) {
    this.settings = settings;
    this.bucket = settings.bucket;
    this.#credentials = credentials;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? 60_000;
    this.http = new PlainClient(settings.endpoint, this.#idleTimeoutMs);
    this.#retry = {
      retries: options.retries ?? 8,
      firstDelayMs: options.firstDelayMs ?? 100,
      longestDelayMs: 10_000,
      totalMs: options.retryTotalMs ?? 120_000,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.onRetry === undefined ? {} : { onRetry: options.onRetry }),
    };
  }

  get signal(): AbortSignal | undefined {
    return this.#retry.signal;
  }

  /** The SDK takes a third of a second to load; verbs that never meet a bucket never wait for it. */
  load(): Promise<{ sdk: Sdk; presigner: Presigner; client: S3Client }> {
    this.#loading ??= Promise.all([
      import("@aws-sdk/client-s3"),
      import("@aws-sdk/s3-request-presigner"),
    ]).then(([sdk, presigner]) => {
      const { endpoint, region, forcePathStyle } = this.settings;
      const client = new sdk.S3Client({
        region: region || "us-east-1",
        ...(endpoint === "" ? {} : { endpoint }),
        forcePathStyle,
        credentials: this.#credentials,
        // Tries are counted in one place only.
        maxAttempts: 1,
        requestChecksumCalculation: "WHEN_REQUIRED",
        responseChecksumValidation: "WHEN_REQUIRED",
        requestHandler: { connectionTimeout: 10_000, socketTimeout: this.#idleTimeoutMs, requestTimeout: 0 },
      });
      return { sdk, presigner, client };
    });
    return this.#loading;
  }

  /** A presigned address for `command`; the headers it was made with must be sent along. */
  async sign(command: object): Promise<string> {
    const { presigner, client } = await this.load();
    return presigner.getSignedUrl(client, command as never, {
      expiresIn: signatureSeconds,
      unhoistableHeaders: headersToKeep,
    });
  }

  /** `act` with the retries of this store. @throws HoldfastError with the store's code */
  retrying<T>(
    doing: string,
    act: (attempt: number, previous: S3Failure | undefined) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const options = signal === undefined ? this.#retry : { ...this.#retry, signal };
    return withRetries(`store '${this.settings.name}': ${doing}`, options, act);
  }

  /** One control request through the SDK, with retries. */
  async control<T>(doing: string, act: (sdk: Sdk, client: S3Client) => Promise<T>): Promise<T> {
    const { sdk, client } = await this.load();
    return this.retrying(doing, () => act(sdk, client));
  }

  /** The SDK's own abort option for requests of this store. */
  get sending(): { readonly abortSignal?: AbortSignal } {
    return this.signal === undefined ? {} : { abortSignal: this.signal };
  }

  /** For another program that speaks to the same bucket with the same rights. */
  place(keyPrefix: string): ToolPlace {
    const { endpoint, region, forcePathStyle } = this.settings;
    const { accessKeyId, secretAccessKey, sessionToken } = this.#credentials;
    return {
      kind: "s3",
      endpoint,
      region,
      bucket: this.bucket,
      keyPrefix,
      forcePathStyle,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    };
  }

  close(): void {
    this.http.close();
    this.#loading?.then(({ client }) => client.destroy()).catch(() => {});
  }
}
