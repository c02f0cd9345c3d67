// Package docs are the documents, of which programs use what is meant to be run.
package docs

import _ "embed"

//go:embed integrations/fastnetmon-notify.sh
var fastNetMonNotify string

// FastNetMonNotify returns the script by which FastNetMon sends an alert.
func FastNetMonNotify() string { return fastNetMonNotify }
