// Package entra is what Microsoft's products share: the ids of directories and applications,
// where an application gets its tokens, and what Entra says when it refuses one.
package entra

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations/httpx"
)

// Where Entra is, of each of Microsoft's clouds.
//
// https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
const (
	Global       = "https://login.microsoftonline.com"
	USGovernment = "https://login.microsoftonline.us"
	China        = "https://login.partner.microsoftonline.cn"
)

// TokenURL is the address that gives tokens to the applications of a tenant; login is where
// Entra is, without a slash at its end.
func TokenURL(login, tenant string) string {
	return login + "/" + strings.ToLower(tenant) + "/oauth2/v2.0/token"
}

// CheckID checks the id of a directory, an application or a subscription that a setting
// holds.
func CheckID(setting, text string) error {
	if !IsID(text) {
		return fmt.Errorf("invalid %s %q: must be an id such as 00000000-0000-0000-0000-000000000000", setting, text)
	}
	return nil
}

// IsID reports whether a text has the form of Microsoft's ids, which are GUIDs.
func IsID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') || !dash && !hex {
			return false
		}
	}
	return true
}

// Explain says what Entra means by a refusal, for [httpx.Credentials]. Microsoft's codes are
// for people: they may change at any time, so that nothing but the text depends on them.
//
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func Explain(a httpx.Answer) string {
	var said struct {
		Codes []int `json:"error_codes"`
	}
	if httpx.Decode(a.Body, &said) != nil || len(said.Codes) == 0 {
		return ""
	}
	text := "AADSTS" + strconv.Itoa(said.Codes[0])
	switch said.Codes[0] {
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
