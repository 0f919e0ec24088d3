/** The operators of an assertion that is not written in the server's own language. */

/** An unknown operator means "less than", the last one there is. */
export function compareNumbers(value: number, operator: string, number: number): boolean {
  switch (operator) {
    case "==":
      return value === number;
    case "!=":
      return value !== number;
    case ">=":
      return value >= number;
    case "<=":
      return value <= number;
    case ">":
      return value > number;
    default:
      return value < number;
  }
}
