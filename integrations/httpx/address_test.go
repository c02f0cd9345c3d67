package httpx_test

import (
	"testing"

	"github.com/stanch-soar/stanch/integrations/httpx"
)

func TestAddress(t *testing.T) {
	const example = "https://soc.example:8089"
	for text, want := range map[string]string{
		"https://soc.example":         "https://soc.example",
		"https://soc.example:8089//":  "https://soc.example:8089",
		"https://soc.example/at/":     "https://soc.example/at",
		"http://127.0.0.1:8089":       "http://127.0.0.1:8089",
		"http://[::1]:8089":           "http://[::1]:8089",
		"http://soc.example":          "url is http: credentials would travel in the clear",
		"ftp://soc.example":           "url is not an address such as " + example,
		"soc.example:8089":            "url is not an address such as " + example,
		"https://":                    "url is not an address such as " + example,
		"":                            "url is not an address such as " + example,
		"https://me:word@soc.example": "url has a user, a query or a fragment",
		"https://soc.example?a=b":     "url has a user, a query or a fragment",
		"https://soc.example#a":       "url has a user, a query or a fragment",
	} {
		got, err := httpx.Address("url", text, example)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("Address(%q) is %q, want %q", text, got, want)
		}
	}
}
