/** What a failed S3 request means: worth another try or not, and which of the store's codes. */
import pRetry from "p-retry";
import { type ErrorCode, HoldfastError } from "../errors.ts";
import { redact } from "../secret.ts";

/** One failed request. `status` 0 means that no answer came; `text` holds no credential and no query string. */
export class S3Failure extends Error {
  readonly status: number;
  readonly s3Code: string;

  constructor(status: number, s3Code: string, text: string) {
    super(text);
    this.name = "S3Failure";
    this.status = status;
    this.s3Code = s3Code;
  }
}

export interface RetryOptions {
  readonly retries: number;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** No new try starts after this long. */
  readonly totalMs: number;
  readonly signal?: AbortSignal;
  readonly onRetry?: (facts: {
    readonly doing: string;
    readonly attempt: number;
    readonly reason: string;
  }) => void;
}

const transientCodes = new Set([
  "SlowDown",
  "SlowDownRead",
  "SlowDownWrite",
  "TooManyRequests",
  "InternalError",
  "ServiceUnavailable",
  "RequestTimeout",
  "OperationAborted",
  "ConditionalRequestConflict",
  // The bytes were changed on the way; the same bytes may arrive whole the next time.
  "BadDigest",
  "XAmzContentChecksumMismatch",
  "XAmzContentSHA256Mismatch",
]);
const transientStatuses = new Set([0, 408, 429, 500, 502, 503, 504]);
const fullCodes = /StorageFull|QuotaExceeded|InsufficientStorage|InsufficientCapacity|DiskFull/i;
const deniedCodes =
  /^(AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|AccountProblem|AllAccessDisabled|ExpiredToken|InvalidToken|RequestTimeTooSkewed|ObjectLocked|InvalidObjectState|NoSuchBucket|Unauthorized|Forbidden)$/;

function full(failure: S3Failure): boolean {
  return failure.status === 507 || fullCodes.test(failure.s3Code) || /no space left/i.test(failure.message);
}

/** True when the same request may succeed a moment later. */
export function transient(failure: S3Failure): boolean {
  if (full(failure) || deniedCodes.test(failure.s3Code)) return false;
  return transientCodes.has(failure.s3Code) || transientStatuses.has(failure.status);
}

/** True when the request may have had its effect although it failed. */
export function ambiguous(failure: S3Failure): boolean {
  return failure.status === 0 || failure.status >= 500;
}

function codeOf(failure: S3Failure): ErrorCode {
  if (failure.status === 412) return "object-exists";
  if (full(failure)) return "store-full";
  if (failure.status === 401 || failure.status === 403 || deniedCodes.test(failure.s3Code))
    return "store-denied";
  if (failure.s3Code === "NoSuchKey" || failure.s3Code === "NotFound") return "object-missing";
  if (failure.s3Code === "InternalError") return "store-failed";
  if (
    failure.status === 0 ||
    [408, 429, 502, 503, 504].includes(failure.status) ||
    failure.s3Code === "SlowDown"
  )
    return "store-unreachable";
  return "store-failed";
}

function hintOf(failure: S3Failure): { readonly hint?: string } {
  if (failure.s3Code === "NoSuchBucket")
    return { hint: "make the bucket, or correct its name in the policy" };
  if (failure.s3Code === "RequestTimeTooSkewed") return { hint: "set this machine's clock" };
  return {};
}

/** The failure as the rest of Holdfast knows it. `doing` is like `store 'primary': writing 'a/b'`. */
export function storeError(error: unknown, doing: string): unknown {
  if (!(error instanceof S3Failure)) return error;
  const answer = error.status === 0 ? "" : `${error.status} `;
  return new HoldfastError(codeOf(error), redact(`${doing}: ${answer}${error.s3Code}: ${error.message}`), {
    ...hintOf(error),
    cause: error,
  });
}

/** Any error of the SDK or of a socket as an `S3Failure`; errors of our own pass unchanged. */
export function failureOf(error: unknown): unknown {
  if (error instanceof S3Failure || error instanceof HoldfastError || !(error instanceof Error)) return error;
  const metadata = (error as { $metadata?: { httpStatusCode?: number } }).$metadata;
  const code = (error as { code?: unknown }).code;
  const status = metadata?.httpStatusCode;
  // A body that breaks off or is no XML has a status of 200 and is still no answer.
  const broken = status === undefined || (status >= 200 && status < 300 && error.name === "SyntaxError");
  const known = status !== undefined && error.name !== "Error" && error.name !== "UnknownError";
  const name = known ? error.name : typeof code === "string" ? code : error.name;
  if (error instanceof TypeError && status === undefined && code === undefined) return error;
  return new S3Failure(broken ? 0 : status, name, withoutQuery(error.message || name));
}

/** Presigned addresses carry a signature in their query. */
export function withoutQuery(text: string): string {
  return text.replace(/\?[^\s"'<>]*X-Amz-[^\s"'<>]*/gi, "").slice(0, 500);
}

/**
 * Runs `act` until it succeeds, fails for good or the time is over; waits grow and are jittered.
 * @throws HoldfastError with the store's code, or what `act` threw when it is none of S3's failures.
 */
export async function withRetries<T>(
  doing: string,
  options: RetryOptions,
  act: (attempt: number, previous: S3Failure | undefined) => Promise<T>,
): Promise<T> {
  let previous: S3Failure | undefined;
  try {
    return await pRetry(
      async (attempt) => {
        try {
          return await act(attempt, previous);
        } catch (error) {
          const failure = failureOf(error);
          if (failure instanceof S3Failure) previous = failure;
          throw failure;
        }
      },
      {
        retries: options.retries,
        factor: 2,
        minTimeout: options.firstDelayMs,
        maxTimeout: options.longestDelayMs,
        maxRetryTime: options.totalMs,
        randomize: true,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        shouldRetry: ({ error }) => error instanceof S3Failure && transient(error),
        onFailedAttempt: ({ error, attemptNumber, retriesLeft }) => {
          if (retriesLeft > 0 && error instanceof S3Failure && transient(error))
            options.onRetry?.({
              doing,
              attempt: attemptNumber,
              reason: redact(`${error.s3Code}: ${error.message}`),
            });
        },
      },
    );
  } catch (error) {
    if (options.signal?.aborted === true && !(error instanceof HoldfastError))
      throw new HoldfastError("interrupted", `${doing}: interrupted`);
    throw storeError(error, doing);
  }
}
