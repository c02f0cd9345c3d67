package httpx_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

func TestWrongPortIsReportedWithItsCure(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for url, want := range map[string]string{
		strings.Replace(plain.URL, "http:", "https:", 1):       "the port does not speak TLS",
		"https://" + servertest.Saying(t, "SSH-2.0-OpenSSH\n"): "the port does not speak TLS",
		"http://" + servertest.Saying(t, ""):                   "if this is a port of TLS, write https",
	} {
		_, err := open(t, httpx.Options{}).Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: url})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", url, err, want)
		}
	}
}
