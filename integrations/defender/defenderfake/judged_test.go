package defenderfake_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
)

// judged starts servers of a double and its storage whose requests and answers are
// judged by the descriptions of the APIs, and one of the double alone, for what no
// client may send.
func judged(t *testing.T, d *defenderfake.Double) (strict, rude string) {
	t.Helper()
	serve := func(h http.Handler) string {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		return server.URL
	}
	d.SetStorageURL(serve(apispec.Load(t, "azure-blob").Handler(t, d.Storage())))
	strict = serve(apispec.Load(t, "defender", "microsoft-login", "graph").Handler(t, d.Handler()))
	return strict, serve(d.Handler())
}
