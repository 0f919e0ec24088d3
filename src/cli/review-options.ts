/** Facts a review on the command line shares with the comment of a pull request. */
import { InvalidArgumentError } from "commander";

export function parsePrice(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0 || value > 1e6) {
    throw new InvalidArgumentError("a price such as 0.023 is wanted");
  }
  return value;
}
