// Package metrics is what a process of Stanch tells Prometheus: the definitions of all
// families, from which the reference is written, and the registry that exposes them.
package metrics

import "github.com/stanch-soar/stanch/activities/protocol"

// Kind is the type of a family, as Prometheus names it.
type Kind string

// The closed set of types.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Definition describes a family. A label's values are of a closed set, or names in files of the
// site, so that they are few.
type Definition struct {
	Name   string
	Kind   Kind
	Labels []string
	// Help says what it counts, in one sentence; Labelled what the values of its labels are.
	Help     string
	Labelled string
	// Shared reports whether it is what stands, as the engine says: each process says the same,
	// so that the largest is taken and not the sum.
	Shared bool
	// buckets are those of a histogram, in seconds.
	buckets []float64
}

// The families that the process itself sets.
const (
	Alerts           = "stanch_alerts_total"
	Intake           = "stanch_intake_seconds"
	SourceLag        = "stanch_source_lag_messages"
	SourceConnected  = "stanch_source_connected"
	Refused          = "stanch_refused_total"
	Ready            = "stanch_ready"
	Playbooks        = "stanch_playbooks"
	PlaybooksFailing = "stanch_playbooks_failing"
	Cases            = "stanch_cases"
	ApprovalsPending = "stanch_approvals_pending"
	ApprovalsUnread  = "stanch_approvals_unread"
	Leases           = "stanch_leases"
	LeasesProblem    = "stanch_leases_with_problem"
	Paused           = "stanch_paused"
	RejectedWaiting  = "stanch_rejected_alerts"
	StandingAge      = "stanch_standing_age_seconds"
	FlowLag          = "stanch_flow_lag_seconds"
	FlowSurveyAge    = "stanch_flow_survey_age_seconds"
	Circuit          = "stanch_integration_circuit"
	SeriesDropped    = "stanch_series_dropped_total"
)

// Labels that only the process itself uses.
const (
	labelSource    = "source"
	labelDoor      = "door"
	labelMode      = "mode"
	labelStatus    = "status"
	labelOlderThan = "older_than"
	labelPhase     = "phase"
	labelSensor    = "sensor"
)

// Definitions are all families of Stanch, by what they are about. Those of the engine's client and
// of the process, which others name, are not among them.
func Definitions() []Definition {
	var all []Definition
	for _, part := range [][]Definition{intake(), cases(), people(), containment(), surroundings()} {
		all = append(all, part...)
	}
	return all
}

func intake() []Definition {
	return []Definition{
		{
			Name: Alerts, Kind: Counter, Labels: []string{labelSource, protocol.LabelResult}, Help: "Alerts by source and what became of them.",
			Labelled: "`source` of stanch.yaml, or `unknown`; `result` is `accepted`, `recorded` (it does not fire), `rejected`, or why the request was refused: `unauthorized`, `throttled`, `too_large`, `unavailable` and the other kinds of problems of the API.",
		},
		{Name: Intake, Kind: Histogram, Labels: []string{labelSource}, buckets: intakeBuckets(), Help: "Time from an alert's request to its answer."},
		{
			Name: SourceLag, Kind: Gauge, Labels: []string{labelSource}, Help: "Messages of a source that is fetched which wait and were not taken yet, as it was when the queue last said so.",
			Labelled: "`source` of stanch.yaml with a `from` whose transport can tell; each process says the same, so that the largest is taken and not the sum.",
		},
		{
			Name: SourceConnected, Kind: Gauge, Labels: []string{labelSource}, Help: "1 while this process fetches the alerts of a source, 0 while it cannot.",
			Labelled: "`source` of stanch.yaml with a `from`.",
		},
		{
			Name: Refused, Kind: Counter, Labels: []string{labelDoor, protocol.LabelResult}, Help: "Wrong credentials, by what they were for and what was answered.",
			Labelled: "`door` is `source` or `person`; `result` is `unauthorized`, or `throttled` above 100 of one address.",
		},
		{Name: RejectedWaiting, Kind: Gauge, Shared: true, Help: "Requests and alerts that started nothing and wait to be retried; also news that an alert does not fire."},
		{Name: Ready, Kind: Gauge, Help: "1 while an alert can be taken, as /readyz says, else 0."},
	}
}

func cases() []Definition {
	staged := []string{protocol.LabelPlaybook, protocol.LabelAction, protocol.LabelStage}
	const stages = "`stage` is `accepted`, `enriched`, `decided`, `asked`, `answered`, `applied` (accepted by the product), `confirmed`, `effective` or `given_back`; `action` is that of the step, of asked and answered the first containing one behind the approval, and `none` up to decided."
	return []Definition{
		{Name: protocol.MetricStage, Kind: Histogram, Labels: staged, buckets: stageBuckets(), Help: "Time that a case took to a stage from the stage that it reached before.", Labelled: stages},
		{Name: protocol.MetricSinceReceived, Kind: Histogram, Labels: staged, buckets: stageBuckets(), Help: "Time that a case took to a stage from the receipt of the alert that the decision is about.", Labelled: "as of " + "`" + protocol.MetricStage + "`."},
		{
			Name: protocol.MetricCasesClosed, Kind: Counter, Labels: []string{protocol.LabelPlaybook, protocol.LabelOutcome}, Help: "Cases that were closed, by their outcome.",
			Labelled: "`outcome` as in [Operating](../operating.md#when-something-is-wrong).",
		},
		{
			Name: Cases, Kind: Gauge, Shared: true, Labels: []string{protocol.LabelPlaybook, labelStatus}, Help: "Open cases.",
			Labelled: "`playbook` in force, or `other`; `status` is `working`, `awaiting`, `contained` or `watching`.",
		},
	}
}

func people() []Definition {
	return []Definition{
		{
			Name: protocol.MetricApprovals, Kind: Counter, Labels: []string{protocol.LabelPlaybook, protocol.LabelApproval, protocol.LabelResult}, Help: "Approvals that are over, those about an extension included.",
			Labelled: "`approval` of the playbook; `result` is `approved`, `denied`, `expired` or `superseded`.",
		},
		{
			Name: ApprovalsPending, Kind: Gauge, Shared: true, Labels: []string{labelOlderThan}, Help: "Approvals that wait for people longer than this.",
			Labelled: "`older_than` is `0s`, `5m`, `15m`, `1h` or `4h`: each counts those of the next too.",
		},
		{Name: ApprovalsUnread, Kind: Gauge, Shared: true, Help: "Cases that wait for people and were not looked at for their approvals: there are too many, or they did not answer."},
	}
}

func containment() []Definition {
	return []Definition{
		{
			Name: protocol.MetricProofs, Kind: Counter, Labels: []string{protocol.LabelPlaybook, protocol.LabelAction, protocol.LabelProof}, Help: "Containments by what the flow store said of their effect.",
			Labelled: "`proof` is `verified`, `not_effective` or `cannot_tell`.",
		},
		{Name: protocol.MetricHeldAgain, Kind: Counter, Labels: []string{protocol.LabelPlaybook, protocol.LabelAction}, Help: "Rounds after the first of containments that went on, or were taken again, as the host still sent."},
		{Name: protocol.MetricLimitsReached, Kind: Counter, Labels: []string{protocol.LabelPlaybook, protocol.LabelAction, protocol.LabelGuardrail}, Help: "Times that a limit held a step back."},
		{Name: protocol.MetricStepsFailed, Kind: Counter, Labels: []string{protocol.LabelPlaybook, protocol.LabelAction}, Help: "Containing steps that failed."},
		{
			Name: Leases, Kind: Gauge, Shared: true, Labels: []string{protocol.LabelAction, labelPhase}, Help: "Leases that have not ended.",
			Labelled: "`phase` is `applying`, `holding` (accepted by the product), `confirmed` or `undoing`.",
		},
		{Name: LeasesProblem, Kind: Gauge, Shared: true, Labels: []string{protocol.LabelAction}, Help: "Leases with a problem: not confirmed within two minutes, not applied yet, or an undo that fails; and those that could not be asked."},
		{Name: protocol.MetricUndoFailures, Kind: Counter, Labels: []string{protocol.LabelIntegration, protocol.LabelAction}, Help: "Attempts to give the network back that did not work. Each is repeated."},
		{Name: protocol.MetricDuplicateEffects, Kind: Counter, Labels: []string{protocol.LabelIntegration, protocol.LabelAction}, Help: "Containments that were in place more than once under one key when a device was read, counted at each look. It must stay 0."},
		{Name: Paused, Kind: Gauge, Shared: true, Help: "1 while containment is paused, else 0."},
	}
}

func surroundings() []Definition {
	integration := []string{protocol.LabelIntegration}
	return []Definition{
		{Name: Playbooks, Kind: Gauge, Labels: []string{labelMode}, Help: "Playbooks in force.", Labelled: "`mode` is `enforce` or `shadow`."},
		{Name: PlaybooksFailing, Kind: Gauge, Help: "Complaints about the playbooks in the folders, because of which those before stay in force; 0 when all are loaded."},
		{
			Name: protocol.MetricReplies, Kind: Counter, Labels: []string{protocol.LabelIntegration, protocol.LabelResult}, Help: "What the senders of alerts were told, by what became of it.",
			Labelled: "`result` is `sent`, `given_up` (it was refused, or did not arrive for three days) or `echo`: a case whose alert followed right on what was told there is not answered.",
		},
		{
			Name: protocol.MetricCalls, Kind: Counter, Labels: []string{protocol.LabelIntegration, protocol.LabelCall, protocol.LabelResult}, Help: "Calls of integrations by how they ended.",
			Labelled: "`call` is the activity; `result` is `ok` or the kind of error: `not_found`, `denied`, `invalid`, `conflict`, `throttled`, `unavailable` or `ambiguous`.",
		},
		{Name: protocol.MetricLastSuccess, Kind: Gauge, Labels: integration, Help: "When the product answered last, in seconds since 1970; `not_found` and `conflict` are answers."},
		{Name: protocol.MetricLastFailure, Kind: Gauge, Labels: integration, Help: "When the product last did not answer, or refused, in seconds since 1970. A call that was not made, because the product had failed several times in a row, counts too: while this is later than the success, it is failing."},
		{
			Name: Circuit, Kind: Gauge, Labels: integration, Help: "Whether this process asks the product: 0 it does, 1 one call tries whether it is back, 2 not for a while, because it failed several times in a row. Of an integration over several parts of a product it is the worst.",
			Labelled: "`integration` over HTTP; of others it is not known.",
		},
		{
			Name: FlowLag, Kind: Gauge, Shared: true, Labels: []string{protocol.LabelIntegration, labelSensor}, Help: "How old the newest record of a sensor in a flow store is.",
			Labelled: "`sensor` as the store names it, or `all` for the newest of any.",
		},
		{Name: FlowSurveyAge, Kind: Gauge, Labels: integration, Help: "How long ago a flow store was last asked for its sensors with success."},
		{Name: StandingAge, Kind: Gauge, Help: "How old the families are that say what stands, as the engine lists it."},
		{Name: SeriesDropped, Kind: Counter, Help: "Series of the engine's client that were not kept, because there are too many. It must stay 0."},
	}
}

// intakeBuckets are from 1 ms to 8 s, stageBuckets from 1 ms to the longest lease.
func intakeBuckets() []float64 {
	return []float64{0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192}
}

func stageBuckets() []float64 {
	const minute, hour, day = 60, 3600, 86400
	return []float64{
		0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, minute, 2 * minute, 5 * minute, 10 * minute, 30 * minute,
		hour, 4 * hour, 12 * hour, day, 3 * day, 7 * day, 14 * day,
	}
}
