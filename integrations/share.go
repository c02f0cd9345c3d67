package integrations

import "context"

// Sharer is an integration that counts its calls, and keeps to its share of the product's
// limits where several processes ask the product.
type Sharer interface {
	// Share says how many processes ask the product, this one among them.
	Share(processes int)
}

type changes struct{}

// ForChange marks what is asked of a product in order to change it: what is read first
// is as urgent as the change.
func ForChange(ctx context.Context) context.Context { return context.WithValue(ctx, changes{}, true) }

// Changes reports whether a call is made in order to change something.
func Changes(ctx context.Context) bool { return ctx.Value(changes{}) != nil }
