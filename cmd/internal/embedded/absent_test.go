//go:build no_embedded

package embedded

import "testing"

func TestAbsent(t *testing.T) {
	const want = "this build has no embedded engine: set temporal.address"
	if _, err := Start(t.Context(), Options{}); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
