package auth

import (
	"errors"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// What the settings prove is what their verifier takes, of every method but that with a
// certificate, and no verifier with another secret takes it.
func TestWhatSettingsProveIsTaken(t *testing.T) {
	t.Parallel()
	const body = `{"id":"a-1"}`
	from := netip.MustParseAddr("192.0.2.7")
	for name, of := range map[string]func(secret integrations.Secret) Auth{
		"hmac":    func(s integrations.Secret) Auth { return Auth{HMAC: &HMAC{Secret: s}} },
		"falcon":  func(s integrations.Secret) Auth { return Auth{HMAC: &HMAC{Secret: s, Scheme: "crowdstrike"}} },
		"bearer":  func(s integrations.Secret) Auth { return Auth{Bearer: s} },
		"basic":   func(s integrations.Secret) Auth { return Auth{Basic: &Basic{User: "sender", Password: s}} },
		"header":  func(s integrations.Secret) Auth { return Auth{Header: &Header{Name: "X-Api-Key", Value: s}} },
		"address": func(s integrations.Secret) Auth { return Auth{URLToken: s, Addresses: []string{"192.0.2.0/24"}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range []struct {
				secret integrations.Secret
				taken  bool
			}{{"0123456789abcdef0123", true}, {"another-secret-of-it", false}} {
				v, err := of("0123456789abcdef0123").Verifier()
				if err != nil {
					t.Fatal(err)
				}
				Nobody(v)
				now := time.Now()
				prove, err := of(tt.secret).Prover([]byte(body), now)
				if err != nil {
					t.Fatal(err)
				}
				r := httptest.NewRequest("POST", "/v1/alerts/siem/test", strings.NewReader(body))
				prove(r)
				got := v.VerifyHeader(r, from)
				if Signed(r, now) {
					got = v.VerifySignature(r, []byte(body), from, now)
				}
				if (got == nil) != tt.taken {
					t.Errorf("with secret %q it is taken: %v", tt.secret, got)
				}
			}
		})
	}
	for _, none := range []Auth{{}, {MTLS: &MTLS{}}} {
		if _, err := none.Prover(nil, time.Now()); !errors.Is(err, ErrCannotProve) {
			t.Errorf("%+v proves something: %v", none, err)
		}
	}
}
