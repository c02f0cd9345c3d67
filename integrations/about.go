package integrations

import "context"

// caseKey is the key of a case's id in a context.
type caseKey struct{}

// ForCase returns a context for what is done for a case: each line that is
// logged with it has the case's id.
func ForCase(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, caseKey{}, id)
}

// CaseOf returns the id of the case that something is done for; it is empty
// where it is for none, or where that is not known.
func CaseOf(ctx context.Context) string {
	id, _ := ctx.Value(caseKey{}).(string)
	return id
}
