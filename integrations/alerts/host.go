package alerts

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Names reads the host names of the first of the paths that holds one. Several
// of them are several hosts, unless one is short for another.
func (r *Reader) Names(paths ...string) []string {
	for _, path := range paths {
		v := r.naming(path)
		if v == nil {
			continue
		}
		texts, why := words(v, hostWords)
		r.refuse(why, []string{path})
		var found []string
		for _, text := range texts {
			if _, err := parseAddress(text); err != nil && !nobody(text) {
				found = append(found, plain(text))
			}
		}
		found = Apart(found)
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// Apart are the different hosts of a list of names, of which one may be short for another. A
// name that is short for two makes one of neither.
func Apart(names []string) []string {
	var found, longest []string
	byLength := slices.SortedStableFunc(slices.Values(names), func(a, b string) int { return len(b) - len(a) })
	for _, list := range []struct {
		of  []string
		out *[]string
	}{{names, &found}, {byLength, &longest}} {
		for _, name := range list.of {
			if !slices.ContainsFunc(*list.out, func(other string) bool { return incident.SameName(other, name) }) {
				*list.out = append(*list.out, name)
			}
		}
	}
	if len(longest) > len(found) {
		return longest
	}
	return found
}

// Host reads an identifier, names and addresses that the alert gives to one host,
// each from the first of its paths that has some. Several identifiers or names
// are several hosts.
func (r *Reader) Host(ids, names, ips []string) incident.AlertHost {
	h := Named(r.Names(names...), nil, "")
	texts, why := words(r.first(ids), whole)
	texts = slices.DeleteFunc(texts, NobodysID)
	r.refuse(why, ids)
	switch {
	case len(h.Doubts) > 0:
		return h
	case len(texts) > 1:
		return several(texts)
	case len(texts) == 1:
		h.ID = incident.Known(plain(texts[0]), incident.FromAlert)
	case why != "":
		h.ID = incident.NotKnown[string]("it " + why)
	}
	addresses, why := r.Addresses(ips...)
	if len(addresses) == 0 && !h.Name.IsKnown() {
		// A name that is an address names the host by it; two are two hosts.
		if addresses = r.addressNames(names...); len(addresses) > 1 {
			return several(addresses)
		}
	}
	h.IP = known(addresses, why)
	return h
}

// first is the value of the first of the paths that has one.
func (r *Reader) first(paths []string) any {
	for _, path := range paths {
		if v := r.naming(path); v != nil {
			return v
		}
	}
	return nil
}

// addressNames are the addresses that are given in place of a name.
func (r *Reader) addressNames(paths ...string) (ips []string) {
	for _, path := range paths {
		texts, _ := words(r.Lookup(path), hostWords)
		for _, text := range texts {
			if ip, err := parseAddress(text); err == nil {
				ips = appendHost(ips, ip)
			}
		}
	}
	return ips
}

// nobody reports whether a name is that of every machine, or of none: a filler
// with a domain appended, or a word that programs write for no id.
func nobody(name string) bool {
	short, domain, _ := strings.Cut(strings.ToLower(strings.TrimSuffix(name, ".")), ".")
	return short == "localhost" || short == "localhost6" || NobodysID(name) ||
		domain != "" && slices.Contains([]string{"unknown", "undefined", "null", "none", "nil"}, short)
}

// NobodysID reports whether an identifier is one that programs write where there
// is none: 0, -1, or a boolean.
func NobodysID(id string) bool {
	return strings.Trim(id, "0-") == "" || slices.Contains([]string{"-1", "true", "false"}, strings.ToLower(id))
}

// hostWords splits a text that joins several hosts. The name that a
// person gave to an Apple computer has blanks; other host names have none.
func hostWords(text string) []string {
	parts := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",;|\n\r\t", r) })
	var all []string
	for _, part := range parts {
		if incident.Filler(part) {
			continue
		}
		blanks := strings.Fields(part)
		if len(blanks) < 2 || slices.ContainsFunc(blanks, oddForHost) || slices.ContainsFunc(blanks, apple) {
			blanks = []string{part}
		}
		all = append(all, blanks...)
	}
	return all
}

func oddForHost(word string) bool {
	return strings.ContainsFunc(word, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.:", r)
	})
}

func apple(word string) bool {
	return slices.Contains([]string{"macbook", "imac", "mac", "iphone", "ipad"}, strings.ToLower(word))
}

// Addresses reads a list, or a text of addresses with commas or spaces between
// them. Loopback, link-local, unspecified and broadcast addresses
// name no host and are left out. The caller knows whose addresses they are.
func (r *Reader) Addresses(paths ...string) (ips []string, why string) {
	for _, path := range paths {
		v := r.naming(path)
		if v == nil {
			continue
		}
		texts, reason := words(v, func(text string) []string { return strings.FieldsFunc(text, separator) })
		r.refuse(reason, []string{path})
		for _, word := range texts {
			ip, err := parseAddress(word)
			if err != nil {
				reason = Quote(word) + " is not an IP address"
				r.refuse(reason, []string{path})
				continue
			}
			ips = appendHost(ips, ip)
		}
		if len(ips) > 0 {
			return ips, ""
		}
		if why == "" {
			why = reason
		}
		if why == "" && len(texts) > 0 {
			why = "only addresses that name no host"
		}
	}
	return nil, why
}

// known is a list of addresses as a value.
func known(ips []string, why string) incident.Value[[]string] {
	if len(ips) == 0 {
		return incident.NotKnown[[]string](why)
	}
	return incident.Known(ips, incident.FromAlert)
}

// Named makes a host of the names and addresses that an alert gives it. With
// several names, or without one and with several addresses, it is none of them.
func Named(names, ips []string, why string) incident.AlertHost {
	if len(names) > 1 || len(names) == 0 && len(ips) > 1 {
		hosts := names
		if len(names) == 0 {
			hosts = ips
		}
		return several(hosts)
	}
	h := incident.AlertHost{IP: known(ips, why)}
	if len(names) == 1 {
		h.Name = incident.Known(names[0], incident.FromAlert)
	}
	return h
}

// several is the host of an alert that names several: none of them. Its id only
// keeps its cases apart from others'.
func several(hosts []string) incident.AlertHost {
	hosts = slices.Sorted(slices.Values(hosts))
	why := fmt.Sprintf("the alert names %d hosts: %s", len(hosts), quoteAll(hosts))
	return incident.AlertHost{
		ID:     incident.Known("several:"+Digest(hosts)[:12], incident.Computed),
		Name:   incident.NotKnown[string](why),
		IP:     incident.NotKnown[[]string](why),
		Doubts: []string{why},
	}
}
