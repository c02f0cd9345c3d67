package defender

import (
	"strconv"

	"github.com/stanch-soar/stanch/integrations/httpx"
)

// refusedLogin says what Entra means by a refusal. Microsoft's codes are for people: they
// may change at any time, so that nothing but the text depends on them.
//
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func refusedLogin(a httpx.Answer) string {
	var said struct {
		Codes []int `json:"error_codes"`
	}
	if httpx.Decode(a.Body, &said) != nil || len(said.Codes) == 0 {
		return ""
	}
	code := said.Codes[0]
	text := "AADSTS" + strconv.Itoa(code)
	switch code {
	case 7000222:
		text += ", the client secret has expired: make a new one, and configure it"
	case 7000215:
		text += ", the client secret is wrong: configure its value, and not its id"
	case 700016:
		text += ", the tenant has no such application: compare client_id, tenant and cloud with the application's page"
	case 90002:
		text += ", there is no such tenant in this cloud: compare tenant and cloud with the application's page"
	case 700024:
		text += ", the assertion is not good at this time: have the machine's clock kept by NTP"
	case 700027:
		text += ", the certificate is not one of the application's: list it there, or configure the one that is"
	}
	return text
}
