package httpx_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// A sender in another language gets the signature that OpenSSL computes:
// printf '%s' '1772337600.body' | openssl dgst -sha256 -hmac correct-horse-battery-staple
func TestSum(t *testing.T) {
	const want = "e835b241539bfdd84eb42d1ab89fe377ca771d5a4e518d1c22dcc61936f4ff5a"
	if got := httpx.Sum(integrations.Secret("correct-horse-battery-staple"), time.Unix(1772337600, 0), []byte("body")); got != want {
		t.Errorf("sum %s, want %s", got, want)
	}
}
