package entra_test

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/entra"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

func TestIDs(t *testing.T) {
	for text, want := range map[string]bool{
		"00000000-0000-0000-0000-000000000001": true,
		"72F988BF-86f1-41af-91ab-2d7cd011db47": true,
		"00000000-0000-0000-0000-00000000000":  false,
		"00000000-0000-0000-0000-00000000000g": false,
		"0000000000000-0000-0000-00000000000a": false,
		"00000000-0000-0000-0000-0000-0000000": false,
		"contoso.example":                      false,
		"":                                     false,
	} {
		if got := entra.IsID(text); got != want {
			t.Errorf("IsID(%q) is %t", text, got)
		}
		if err := entra.CheckID("tenant", text); (err == nil) != want || err != nil && !strings.Contains(err.Error(), "invalid tenant") {
			t.Errorf("CheckID(%q) says %v", text, err)
		}
	}
}

func TestExplain(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"invalid_client","error_codes":[7000222]}`: "AADSTS7000222, the client secret has expired",
		`{"error":"invalid_client","error_codes":[1,2]}`:     "AADSTS1",
		`{"error":"invalid_client"}`:                         "",
		`<html>`:                                             "",
	} {
		if got := entra.Explain(httpx.Answer{Body: []byte(body)}); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("of %s it says %q", body, got)
		}
	}
	if got, want := entra.TokenURL(entra.China, "ABC"), "https://login.partner.microsoftonline.cn/abc/oauth2/v2.0/token"; got != want {
		t.Errorf("the address is %s, want %s", got, want)
	}
}
