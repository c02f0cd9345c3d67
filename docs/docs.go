// Package docs are the documents, of which programs use what is meant to be run.
package docs

import (
	"embed"
	"io/fs"
)

//go:embed integrations/fastnetmon-notify.sh
var fastNetMonNotify string

//go:embed integrations
var integrations embed.FS

// HasPage reports whether an integration or a kind of source has a page of its own.
func HasPage(kind string) bool {
	_, err := fs.Stat(integrations, "integrations/"+kind+".md")
	return err == nil
}

// FastNetMonNotify returns the script by which FastNetMon sends an alert.
func FastNetMonNotify() string { return fastNetMonNotify }
