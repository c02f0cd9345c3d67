package clickhouse

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

// TestWrongProtocolIsReported connects to servers of other protocols.
func TestWrongProtocolIsReported(t *testing.T) {
	for _, tt := range []struct {
		name, says string
		tls        bool
		want       string
	}{
		{"nothing, as to a user without the database", "", false, "check that the user may use the database"},
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", false, "speaks HTTP: write that of the native protocol, 9000"},
		{"HTTP instead of TLS", "HTTP/1.1 400 Bad Request\r\n\r\n", true, "does not speak TLS"},
		{"an alert of TLS", "\x15\x03\x01\x00\x02\x02\x46", false, "speaks TLS: write tls: true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := defaults()
			c.Address, c.TLS = servertest.Saying(t, tt.says), tt.tls
			_, err := opened(t, c).Series(t.Context(), integrations.TrafficQuery{IPs: []string{"192.0.2.1"}, From: time.Now().Add(-time.Hour), To: time.Now()})
			if err == nil || integrations.KindOf(err) != integrations.Unavailable || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it unavailable, with %q", err, tt.want)
			}
		})
	}
	if cureOf(&tls.CertificateVerificationError{Err: io.EOF}) != "" {
		t.Error("an untrusted certificate is taken for a wrong port")
	}
}
