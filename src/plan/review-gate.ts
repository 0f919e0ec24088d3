/** Whether a commit that makes something unrestorable was reviewed for exactly that. Pure. */
import { formatDuration } from "../time/duration.ts";
import { type Breach, breachesOf } from "./outlook.ts";
import type { Review } from "./review.ts";
import { parseTrailer, type ReviewTrailer } from "./review-trailer.ts";

export interface GateInput {
  /** Of the commit against the policies in force, as of now. */
  readonly review: Review;
  /** The policies in force ask for reviews, and those of the commit do no more. */
  readonly isGateRemoved: boolean;
  /** Values of the trailers since the policies in force, the newest first. */
  readonly trailers: readonly string[];
  /** The review made anew as the trailer says it was made. */
  readonly again: (trailer: ReviewTrailer) => Review;
  readonly nowMs: number;
}

export type GateVerdict =
  | { readonly isOpen: true; readonly hash?: string }
  | { readonly isOpen: false; readonly message: string };

/** A review knows nothing of points stored after it. */
export const reviewHoldsMs = 30 * 86_400_000;
const clockSlackMs = 5 * 60_000;
/** Each costs a simulation. */
const mostTrailers = 20;
const shownBreaches = 3;

export function judgeGate(input: GateInput): GateVerdict {
  const { review, isGateRemoved, trailers, nowMs } = input;
  const breaches = review.outlook === null ? [] : breachesOf(review.outlook);
  if (breaches.length === 0 && !isGateRemoved) return { isOpen: true };
  const parsed = trailers.map(parseTrailer).filter((t) => t !== undefined);
  const fresh = parsed.filter(({ asOf }) => {
    const ageMs = nowMs - Date.parse(asOf);
    return ageMs <= reviewHoldsMs && ageMs >= -clockSlackMs;
  });
  const same = fresh.slice(0, mostTrailers).find((trailer) => input.again(trailer).hash === trailer.hash);
  if (same !== undefined) return { isOpen: true, hash: same.hash };
  const what =
    breaches.length === 0
      ? "no more asks for reviews"
      : `makes something unrestorable (${wordsOf(breaches)})`;
  const [first] = parsed;
  const lack =
    first === undefined
      ? "no review of it is in its commits"
      : fresh.length === 0
        ? `its review is older than ${formatDuration(reviewHoldsMs)} or of a later time than now`
        : `its review ${first.hash.slice(0, 12)} is of another plan`;
  return { isOpen: false, message: `${what}, and ${lack}` };
}

function wordsOf(breaches: readonly Breach[]): string {
  const shown = breaches.slice(0, shownBreaches).map((b) => `${b.policy} from ${b.on}: ${b.message}`);
  const rest = breaches.length - shown.length;
  return `${shown.join("; ")}${rest > 0 ? `; and ${rest} more` : ""}`;
}
