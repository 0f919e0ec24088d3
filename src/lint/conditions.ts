/** The alert conditions under which data is being lost or is about to be. */

export const criticalConditions: readonly string[] = [
  "backup-failed",
  "backup-missing",
  "verification-failed",
];
