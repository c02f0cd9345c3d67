package defenderfake

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// maxFile is the documented largest file of the library.
const maxFile = 20 << 20

// libraryFile is a file that live response can put or run.
type libraryFile struct {
	name, description, parameters string
	content                       []byte
	created, updated              time.Time
}

func (f *libraryFile) entity(by string) map[string]any {
	sum := sha256.Sum256(f.content)
	return map[string]any{
		"fileName": f.name, "sha256": hex.EncodeToString(sum[:]), "description": nullable(f.description),
		"creationTime": stamp(f.created), "lastUpdatedTime": stamp(f.updated), "createdBy": by,
		"hasParameters": f.parameters != "", "parametersDescription": nullable(f.parameters),
	}
}

// file returns a file of the library, or nil. The lock must be held.
func (d *Double) file(name string) *libraryFile {
	i := slices.IndexFunc(d.library, func(f *libraryFile) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return d.library[i]
}

// LibraryFile returns the content of a file that a client has uploaded.
func (d *Double) LibraryFile(name string) (content []byte, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.file(name)
	if f == nil {
		return nil, false
	}
	return slices.Clone(f.content), true
}

func (d *Double) listLibrary(w http.ResponseWriter, _ *http.Request) *refusal {
	d.mu.Lock()
	defer d.mu.Unlock()
	var files []map[string]any
	for _, f := range d.library {
		files = append(files, f.entity(d.ClientID))
	}
	writeJSON(w, http.StatusOK, map[string]any{"@odata.context": context("LibraryFiles"), "value": list(d, files)})
	return nil
}

// upload takes a file; one that is there is replaced only if the client says so.
func (d *Double) upload(w http.ResponseWriter, r *http.Request) *refusal {
	bad := refuse(http.StatusBadRequest, "BadRequest", "The form is incorrect.")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return bad
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }()
	for key := range r.MultipartForm.Value {
		if !slices.Contains([]string{"Description", "ParametersDescription", "OverrideIfExists", "HasParameters"}, key) {
			return bad
		}
	}
	// The table writes File and the sample file.
	var name string
	var content []byte
	for _, key := range []string{"File", "file"} {
		for _, header := range r.MultipartForm.File[key] {
			file, err := header.Open()
			if err != nil {
				return bad
			}
			content, err = io.ReadAll(file)
			file.Close()
			if err != nil {
				return bad
			}
			name = path.Base(strings.ReplaceAll(header.Filename, `\`, "/"))
		}
	}
	if name == "" || len(content) > maxFile {
		return bad
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.file(name)
	if f != nil && !strings.EqualFold(r.FormValue("OverrideIfExists"), "true") {
		return refuse(http.StatusBadRequest, "BadRequest", "File %s already exists.", name)
	}
	now := d.world.Now()
	if f == nil {
		f = &libraryFile{name: name, created: now}
		d.library = append(d.library, f)
	}
	f.content, f.updated = content, now
	f.description, f.parameters = r.FormValue("Description"), r.FormValue("ParametersDescription")
	entity := f.entity(d.ClientID)
	entity["@odata.context"] = context("LibraryFiles/$entity")
	writeJSON(w, http.StatusOK, entity)
	return nil
}

func (d *Double) deleteFile(w http.ResponseWriter, r *http.Request) *refusal {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.file(r.PathValue("name"))
	if f == nil {
		return refuse(http.StatusNotFound, "ResourceNotFound", "File %s was not found", r.PathValue("name"))
	}
	d.library = slices.DeleteFunc(d.library, func(other *libraryFile) bool { return other == f })
	w.WriteHeader(http.StatusNoContent)
	return nil
}
