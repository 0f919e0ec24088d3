/** The list of rules. A new rule is one file under `rules/` and one line here. */
import type { Rule } from "./rule.ts";
import { alertCriticalMissing } from "./rules/alert-critical-missing.ts";
import { alertDeadManTold } from "./rules/alert-dead-man-told.ts";
import { alertNoDeadMan } from "./rules/alert-no-dead-man.ts";
import { alertNoReceiver } from "./rules/alert-no-receiver.ts";
import { alertPlainHttp } from "./rules/alert-plain-http.ts";
import { alertQuietCritical } from "./rules/alert-quiet-critical.ts";
import { alertReceiverUnused } from "./rules/alert-receiver-unused.ts";
import { captureLevelRange } from "./rules/capture-level-range.ts";
import { captureUncompressed } from "./rules/capture-uncompressed.ts";
import { connectionNoTls } from "./rules/connection-no-tls.ts";
import { connectionSuperuser } from "./rules/connection-superuser.ts";
import { coverageUnknownKind } from "./rules/coverage-unknown-kind.ts";
import { coverageWaiverExpired } from "./rules/coverage-waiver-expired.ts";
import { coverageWaivesEverything } from "./rules/coverage-waives-everything.ts";
import { encryptionKeyTwice } from "./rules/encryption-key-twice.ts";
import { encryptionKeyUnused } from "./rules/encryption-key-unused.ts";
import { encryptionMissing } from "./rules/encryption-missing.ts";
import { encryptionNoEscrow } from "./rules/encryption-no-escrow.ts";
import { encryptionNoRunner } from "./rules/encryption-no-runner.ts";
import { encryptionSingleRecipient } from "./rules/encryption-single-recipient.ts";
import { logNoSlack } from "./rules/log-no-slack.ts";
import { logPushOverRpo } from "./rules/log-push-over-rpo.ts";
import { logShorterThanWindow } from "./rules/log-shorter-than-window.ts";
import { logSlotMissing } from "./rules/log-slot-missing.ts";
import { logSlotShared } from "./rules/log-slot-shared.ts";
import { logThinned } from "./rules/log-thinned.ts";
import { objectiveCanaryOff } from "./rules/objective-canary-off.ts";
import { objectiveCanarySlow } from "./rules/objective-canary-slow.ts";
import { objectivePitrNotHeld } from "./rules/objective-pitr-not-held.ts";
import { objectivePitrWithoutLog } from "./rules/objective-pitr-without-log.ts";
import { objectiveReachBelowWindow } from "./rules/objective-reach-below-window.ts";
import { objectiveReachForever } from "./rules/objective-reach-forever.ts";
import { objectiveReachNotHeld } from "./rules/objective-reach-not-held.ts";
import { objectiveRpoDebounce } from "./rules/objective-rpo-debounce.ts";
import { objectiveRpoSchedule } from "./rules/objective-rpo-schedule.ts";
import { objectiveRtoLong } from "./rules/objective-rto-long.ts";
import { objectiveZero } from "./rules/objective-zero.ts";
import { policyNoOwner } from "./rules/policy-no-owner.ts";
import { policySuspended } from "./rules/policy-suspended.ts";
import { pruneFloorLow } from "./rules/prune-floor-low.ts";
import { pruneGraceShort } from "./rules/prune-grace-short.ts";
import { pruneShareHigh } from "./rules/prune-share-high.ts";
import { reconcilerClusterDefault } from "./rules/reconciler-cluster-default.ts";
import { reconcilerListenOpen } from "./rules/reconciler-listen-open.ts";
import { reconcilerMissing } from "./rules/reconciler-missing.ts";
import { reconcilerPlainRepository } from "./rules/reconciler-plain-repository.ts";
import { reconcilerPollInterval } from "./rules/reconciler-poll-interval.ts";
import { reconcilerReportNever } from "./rules/reconciler-report-never.ts";
import { reconcilerReportOverdue } from "./rules/reconciler-report-overdue.ts";
import { retentionCountOnly } from "./rules/retention-count-only.ts";
import { retentionFinerThanSchedule } from "./rules/retention-finer-than-schedule.ts";
import { retentionForeverFinite } from "./rules/retention-forever-finite.ts";
import { retentionRowUnused } from "./rules/retention-row-unused.ts";
import { scheduleChainOverReach } from "./rules/schedule-chain-over-reach.ts";
import { scheduleClockChange } from "./rules/schedule-clock-change.ts";
import { scheduleCollision } from "./rules/schedule-collision.ts";
import { scheduleDeadlineOverGap } from "./rules/schedule-deadline-over-gap.ts";
import { scheduleFullUnsupported } from "./rules/schedule-full-unsupported.ts";
import { scheduleNeverFires } from "./rules/schedule-never-fires.ts";
import { storeDuplicateTarget } from "./rules/store-duplicate-target.ts";
import { storeFailureDomainUnknown } from "./rules/store-failure-domain-unknown.ts";
import { storeLockBelowFloor } from "./rules/store-lock-below-floor.ts";
import { storeLockOverRetention } from "./rules/store-lock-over-retention.ts";
import { storeLockZeroDays } from "./rules/store-lock-zero-days.ts";
import { storeNoReadCredentials } from "./rules/store-no-read-credentials.ts";
import { storePlainHttp } from "./rules/store-plain-http.ts";
import { storePrefixNested } from "./rules/store-prefix-nested.ts";
import { storePrefixShared } from "./rules/store-prefix-shared.ts";
import { storeSameCredentials } from "./rules/store-same-credentials.ts";
import { storeSameFailureDomain } from "./rules/store-same-failure-domain.ts";
import { storeUnused } from "./rules/store-unused.ts";
import { verificationChecklistUnused } from "./rules/verification-checklist-unused.ts";
import { verificationEmptyAssertion } from "./rules/verification-empty-assertion.ts";
import { verificationLeftToTool } from "./rules/verification-left-to-tool.ts";
import { verificationManual } from "./rules/verification-manual.ts";
import { verificationNoCanary } from "./rules/verification-no-canary.ts";
import { verificationNoChecksum } from "./rules/verification-no-checksum.ts";
import { verificationNoRestore } from "./rules/verification-no-restore.ts";
import { verificationSizeRatio } from "./rules/verification-size-ratio.ts";
import { verificationSlowerThanReach } from "./rules/verification-slower-than-reach.ts";
import { verificationWithoutAssertions } from "./rules/verification-without-assertions.ts";

export const rules: readonly Rule[] = [
  alertCriticalMissing,
  alertDeadManTold,
  alertNoDeadMan,
  alertNoReceiver,
  alertPlainHttp,
  alertQuietCritical,
  alertReceiverUnused,
  captureLevelRange,
  captureUncompressed,
  connectionNoTls,
  connectionSuperuser,
  coverageUnknownKind,
  coverageWaiverExpired,
  coverageWaivesEverything,
  encryptionKeyTwice,
  encryptionKeyUnused,
  encryptionMissing,
  encryptionNoEscrow,
  encryptionNoRunner,
  encryptionSingleRecipient,
  logNoSlack,
  logPushOverRpo,
  logShorterThanWindow,
  logSlotMissing,
  logSlotShared,
  logThinned,
  objectiveCanaryOff,
  objectiveCanarySlow,
  objectivePitrNotHeld,
  objectivePitrWithoutLog,
  objectiveReachBelowWindow,
  objectiveReachForever,
  objectiveReachNotHeld,
  objectiveRpoDebounce,
  objectiveRpoSchedule,
  objectiveRtoLong,
  objectiveZero,
  policyNoOwner,
  policySuspended,
  pruneFloorLow,
  pruneGraceShort,
  pruneShareHigh,
  reconcilerClusterDefault,
  reconcilerListenOpen,
  reconcilerMissing,
  reconcilerPlainRepository,
  reconcilerPollInterval,
  reconcilerReportNever,
  reconcilerReportOverdue,
  retentionCountOnly,
  retentionFinerThanSchedule,
  retentionForeverFinite,
  retentionRowUnused,
  scheduleChainOverReach,
  scheduleClockChange,
  scheduleCollision,
  scheduleDeadlineOverGap,
  scheduleFullUnsupported,
  scheduleNeverFires,
  storeDuplicateTarget,
  storeFailureDomainUnknown,
  storeLockBelowFloor,
  storeLockOverRetention,
  storeLockZeroDays,
  storeNoReadCredentials,
  storePlainHttp,
  storePrefixNested,
  storePrefixShared,
  storeSameCredentials,
  storeSameFailureDomain,
  storeUnused,
  verificationChecklistUnused,
  verificationEmptyAssertion,
  verificationLeftToTool,
  verificationManual,
  verificationNoCanary,
  verificationNoChecksum,
  verificationNoRestore,
  verificationSizeRatio,
  verificationSlowerThanReach,
  verificationWithoutAssertions,
];
