package flowspec_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// BenchmarkAtTheRouter measures from the order to its rule at the router, and back, with
// many other rules there.
func BenchmarkAtTheRouter(b *testing.B) {
	quiet := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	b.Cleanup(func() { slog.SetDefault(quiet) })
	for _, n := range []int{0, 1000} {
		b.Run(fmt.Sprintf("%d rules", n), func(b *testing.B) {
			r := newRouter(b, "127.0.0.2")
			e := limiter(b, r)
			e.SetRoom(n + 1)
			var standing []incident.Order
			for i := range n {
				standing = append(standing, limit(b, fmt.Sprint("k", i), nil, fmt.Sprintf("10.1.%d.%d", 1+i/200, 1+i%200)))
			}
			if err := e.Restore(b.Context(), standing); err != nil {
				b.Fatal(err)
			}
			meets(b, e, r)
			r.await("all rules", func(rules map[string]string, _ bool) bool { return len(rules) == n })
			one := limit(b, "one", nil, "10.1.0.42")
			for b.Loop() {
				apply(b, e, one)
				r.await("the rule", func(rules map[string]string, _ bool) bool { return len(rules) == n+1 })
				if s, err := e.Read(b.Context(), one); err != nil || !s.Stands {
					b.Fatalf("it reads %+v, %v", s, err)
				}
				undo(b, e, one)
				r.await("its end", func(rules map[string]string, _ bool) bool { return len(rules) == n })
			}
		})
	}
}
