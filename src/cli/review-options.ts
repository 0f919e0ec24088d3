/** What is asked of a review alike: by hand, for a pull request and by the reconciler. */
import { InvalidArgumentError } from "commander";

/** What a review looks at where nobody says otherwise; the price is one of object storage, in dollars. */
export const usualOutlook = { days: 400, pricePerGibMonth: 0.023 } as const;

export function parsePrice(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0 || value > 1e6) {
    throw new InvalidArgumentError("a price such as 0.023 is wanted");
  }
  return value;
}
