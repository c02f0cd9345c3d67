package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
)

// clickQuick is how long a click is answered in the engine's own task. Nothing
// else happens to it meanwhile, so it may take longer than a case's questions.
const clickQuick = 5 * time.Second

// clickWithin is how long a click is tried to be counted, replyWithin how long
// the person is tried to be told. A question that has ended takes no answer, so
// more would help nobody.
const (
	clickWithin = time.Hour
	replyWithin = 15 * time.Minute
)

// Click answers one click: it asks the case for the person, and tells the
// person when it does not count. It is the click's audit; what was refused
// leaves no trace in the case.
func Click(ctx workflow.Context, in protocol.ClickInput) (protocol.Answered, error) {
	out, err := askSoon(ctx, clickQuick, in.Queue, clickWithin, activities.Answer, in)
	if err != nil {
		out = protocol.Answered{Refused: "unavailable", Text: "Your answer was not counted: " + activities.Reason(err) + "."}
	}
	if out.Refused == "" {
		return out, nil
	}
	text := "Not counted (" + out.Refused + "): " + bounded(out.Text, maxReason)
	_, err = do(ctx, in.Queue, replyWithin, activities.Reply, activities.ReplyIn{Click: in.Click, Text: text})
	if err != nil {
		workflow.GetLogger(ctx).Warn("the person who clicked was not told", "click", in.Click.ID, "error", err)
	}
	return out, nil
}
