package alerts

import (
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ImageOf reads a process's image from one text: the name is its last part, and the path the
// whole of it, where it has a folder.
func ImageOf(image incident.Value[string]) (name, path incident.Value[string]) {
	text, ok := image.Get()
	if !ok {
		return image, image
	}
	at := strings.LastIndexAny(text, `\/`)
	if base := text[at+1:]; base != "" {
		name = incident.Known(base, incident.Computed)
	} else {
		name = incident.NotKnown[string](fmt.Sprintf("%s is a folder", Quote(text)))
	}
	if at < 0 {
		return name, incident.NotKnown[string](fmt.Sprintf("%s is no full path", Quote(text)))
	}
	return name, image
}

// ImageIn is the path of an image whose folder and name an alert gives apart.
func ImageIn(folder, name incident.Value[string]) incident.Value[string] {
	dir, ok := folder.Get()
	if !ok {
		return folder
	}
	base, ok := name.Get()
	if !ok {
		return name
	}
	if at := strings.LastIndexAny(dir, `\/`); strings.EqualFold(dir[at+1:], base) {
		// Some put the whole path there.
		return folder
	}
	sign := `\`
	if strings.HasPrefix(dir, "/") {
		sign = "/"
	}
	return incident.Known(strings.TrimRight(dir, `\/`)+sign+base, incident.Computed)
}
