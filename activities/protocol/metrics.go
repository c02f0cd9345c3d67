package protocol

// The metrics that workflows and activities emit, by the engine's handler. What they
// mean stands with the others, in the definitions of the process that exposes them.
const (
	MetricStage            = "stanch_stage_seconds"
	MetricSinceReceived    = "stanch_since_received_seconds"
	MetricCasesClosed      = "stanch_cases_closed_total"
	MetricApprovals        = "stanch_approvals_total"
	MetricProofs           = "stanch_proofs_total"
	MetricLimitsReached    = "stanch_limits_reached_total"
	MetricStepsFailed      = "stanch_steps_failed_total"
	MetricHeldAgain        = "stanch_held_again_total"
	MetricUndoFailures     = "stanch_undo_failures_total"
	MetricDuplicateEffects = "stanch_duplicate_effects_total"
	MetricReplies          = "stanch_replies_total"
	MetricCalls            = "stanch_integration_calls_total"
	MetricLastSuccess      = "stanch_integration_last_success_timestamp_seconds"
	MetricLastFailure      = "stanch_integration_last_failure_timestamp_seconds"
)

// The labels of metrics. Their values are of closed sets, or names in files of the site:
// never a host, a person, or a text of an alert.
const (
	LabelPlaybook    = "playbook"
	LabelAction      = "action"
	LabelStage       = "stage"
	LabelOutcome     = "outcome"
	LabelApproval    = "approval"
	LabelResult      = "result"
	LabelProof       = "proof"
	LabelGuardrail   = "guardrail"
	LabelIntegration = "integration"
	LabelCall        = "call"
)

// NoAction is the action of a stage that concerns none: those up to decided.
const NoAction = "none"
