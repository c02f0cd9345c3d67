package workflows

import "go.temporal.io/sdk/workflow"

// Changes of what workflows ask of the engine, by the name that stands in
// history. A run that passed the place before the change goes on as it began.
const ()

// since reports whether a run makes a change: it does where it comes to the
// place for the first time on code that has the change. Ask only on the path
// that differs, as each question is a marker in history, and never in a
// validator or a query.
func since(ctx workflow.Context, change string) bool {
	return workflow.GetVersion(ctx, change, workflow.DefaultVersion, 1) != workflow.DefaultVersion
}
