package httpx

import (
	"fmt"
	"net/url"
	"strings"
)

// Address checks the address of a product that a setting holds, and returns it so that paths
// can be appended: without a slash at its end. It must be https, or this machine's own, since
// credentials go there, and is without a user, a query and a fragment. Example is one that
// would do.
func Address(setting, text, example string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("%s is not an address such as %s", setting, example)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("%s has a user, a query or a fragment", setting)
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return "", fmt.Errorf("%s is http: credentials would travel in the clear", setting)
	}
	return strings.TrimRight(u.String(), "/"), nil
}
