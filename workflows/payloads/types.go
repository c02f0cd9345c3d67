// Package payloads knows of which type everything is that a history holds, and
// reads it into that type: a build that does not know all of it would lose a part
// of the cases that are open when it is installed.
package payloads

import (
	"reflect"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// Types are today's types of all that may be in a history, by where it is
// there; see [Located].
func Types() map[string]reflect.Type {
	all := map[string]reflect.Type{
		"memo " + workflows.SeenMemo: reflect.TypeFor[[]string](),
		// When the receiver took in what is kept.
		"memo received": reflect.TypeFor[time.Time](),
		// How long the body is that is kept.
		"memo bytes": reflect.TypeFor[int](),
		// Words for people; see the mapping of errors in the activities.
		"failure": reflect.TypeFor[string](),
	}
	travels[workflows.CaseInput, incident.Case](all, "workflow "+protocol.RespondWorkflow)
	travels[protocol.LeaseInput, incident.Lease](all, "workflow "+protocol.LeaseWorkflow)
	travels[protocol.BudgetState, none](all, "workflow "+protocol.BudgetWorkflow)
	travels[protocol.RejectedAlert, protocol.RejectedAlert](all, "workflow "+protocol.RejectedWorkflow)
	travels[protocol.ChannelInput, none](all, "workflow "+protocol.ChannelWorkflow)
	travels[protocol.ClickInput, protocol.Answered](all, "workflow "+protocol.ClickWorkflow)
	travels[protocol.DailyInput, none](all, "workflow "+protocol.DailyWorkflow)

	travels[protocol.ClaimInput, none](all, "workflow "+protocol.ClaimWorkflow)
	travels[protocol.OutboxInput, none](all, "workflow "+protocol.OutboxWorkflow)

	travels[[]incident.Alert, none](all, "signal "+protocol.AlertsSignal)
	travels[protocol.LeaseChange, none](all, "signal "+protocol.LeaseSignal)
	travels[protocol.ShownChange, none](all, "signal "+protocol.ShownSignal)
	travels[protocol.PauseChange, none](all, "signal "+protocol.PauseSignal)
	travels[protocol.ReplyChange, none](all, "signal "+protocol.ReplySignal)
	travels[[]incident.Reply, none](all, "signal "+protocol.RepliesSignal)
	travels[protocol.LeaveRequest, none](all, "signal "+protocol.LeaveSignal)
	travels[protocol.HolderExtension, none](all, "signal "+protocol.ExtendSignal)
	travels[protocol.ShowRequest, none](all, "signal "+protocol.ShowSignal)
	travels[protocol.DailyInput, none](all, "signal "+protocol.ConfigureSignal)

	travels[incident.Vote, incident.Approval](all, "update "+protocol.DecideUpdate+" of "+protocol.RespondWorkflow)
	travels[protocol.CloseRequest, incident.Case](all, "update "+protocol.CloseUpdate+" of "+protocol.RespondWorkflow)
	travels[protocol.MergeRequest, none](all, "update "+protocol.MergeUpdate+" of "+protocol.RespondWorkflow)
	travels[protocol.ExtendRequest, incident.Approval](all, "update "+protocol.ExtendUpdate+" of "+protocol.RespondWorkflow)
	travels[protocol.ClaimRequest, incident.CaseRef](all, "update "+protocol.ClaimUpdate+" of "+protocol.ClaimWorkflow)
	travels[incident.CaseRef, none](all, "update "+protocol.UnclaimUpdate+" of "+protocol.ClaimWorkflow)
	travels[protocol.HoldRequest, protocol.Found](all, "update "+protocol.FindUpdate+" of "+protocol.LeaseWorkflow)
	travels[protocol.GiveUpRequest, protocol.GivenUp](all, "update "+protocol.GiveUpUpdate+" of "+protocol.LeaseWorkflow)
	travels[protocol.GiveUpRequest, protocol.GivenUp](all, "update "+protocol.GiveUpUpdate+" of "+protocol.BudgetWorkflow)
	travels[protocol.HoldRequest, incident.Lease](all, "update "+protocol.HoldUpdate+" of "+protocol.LeaseWorkflow)
	travels[protocol.ExtendRequest, incident.Lease](all, "update "+protocol.ExtendUpdate+" of "+protocol.LeaseWorkflow)
	travels[protocol.ReleaseRequest, incident.Lease](all, "update "+protocol.ReleaseUpdate+" of "+protocol.LeaseWorkflow)
	travels[none, protocol.Compared](all, "update "+protocol.CompareUpdate+" of "+protocol.LeaseWorkflow)
	travels[protocol.ReserveRequest, protocol.ReserveAnswer](all, "update "+protocol.ReserveUpdate+" of "+protocol.BudgetWorkflow)
	travels[string, none](all, "update "+protocol.ReleaseUpdate+" of "+protocol.BudgetWorkflow)
	travels[incident.Pause, protocol.BudgetState](all, "update "+protocol.PauseUpdate+" of "+protocol.BudgetWorkflow)
	travels[incident.Pause, protocol.BudgetState](all, "update "+protocol.ResumeUpdate+" of "+protocol.BudgetWorkflow)
	travels[protocol.Watcher, protocol.PauseChange](all, "update "+protocol.WatchUpdate+" of "+protocol.BudgetWorkflow)
	travels[string, protocol.RejectedAlert](all, "update "+protocol.ResolveUpdate+" of "+protocol.RejectedWorkflow)

	performed(all, activities.FindEndpoint)
	performed(all, activities.GetConnections)
	performed(all, activities.FindConnections)
	performed(all, activities.GetTraffic)
	performed(all, activities.GetBaseline)
	performed(all, activities.GetAsset)
	performed(all, activities.Decide)
	performed(all, activities.Contain)
	performed(all, activities.Kill)
	performed(all, activities.Watch)
	performed(all, activities.GiveUp)
	performed(all, activities.Claim)
	performed(all, activities.Unclaim)
	performed(all, activities.HandOver)
	performed(all, activities.Collect)
	performed(all, activities.Send)
	performed(all, activities.Show)
	performed(all, activities.Illustrate)
	performed(all, activities.Summarise)
	performed(all, activities.Answer)
	performed(all, activities.Reply)
	performed(all, activities.OnCall)
	performed(all, activities.Daily)
	performed(all, activities.Measure)
	performed(all, activities.Series)
	performed(all, activities.Evidence)
	performed(all, activities.Apply)
	performed(all, activities.Read)
	performed(all, activities.Undo)
	performed(all, activities.Renew)
	performed(all, activities.Loosen)
	performed(all, activities.Plan)
	performed(all, activities.Recheck)
	performed(all, activities.Count)
	performed(all, activities.Connected)
	performed(all, activities.HandReplies)
	performed(all, activities.TellSender)
	return all
}

// none is the type of what carries nothing.
type none struct{}

func travels[In, Out any](all map[string]reflect.Type, what string) {
	all[what+", input"], all[what+", result"] = reflect.TypeFor[In](), reflect.TypeFor[Out]()
}

func performed[In, Out any](all map[string]reflect.Type, ref activities.Ref[In, Out]) {
	travels[In, Out](all, "activity "+ref.Name)
}
