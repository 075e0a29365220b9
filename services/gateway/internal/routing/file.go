package routing

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wxstack/wxstack/chassis/config"
)

// Main is the name of the logic service of LOGIC_ADDR in logs and metrics.
const Main = "main"

// The limits of a recording's length.
const (
	defaultMaxBytes = 100 << 20
	minMaxBytes     = 1 << 20
)

// Load reads the routes file at path. The error tells everything that is wrong, with file and line.
func Load(path string) (*Table, error) { return load(&config.Files{}, path) }

// Loader reads the file as Load does, for a config.Live.
func Loader(path string) func(*config.Files) (*Table, error) {
	return func(files *config.Files) (*Table, error) { return load(files, path) }
}

func load(files *config.Files, path string) (*Table, error) {
	data, err := files.Read(path)
	if err != nil {
		return nil, fmt.Errorf("WX_ROUTES_FILE: %w", err)
	}
	t, err := parse(path, data)
	if err != nil {
		return nil, fmt.Errorf("WX_ROUTES_FILE: %w", err)
	}
	return t, nil
}

// parse reads a routes file of that name.
func parse(name string, data []byte) (*Table, error) {
	t := &Table{}
	if err := config.DecodeYAML(name, data, t); err != nil {
		return nil, err
	}
	t.applyDefaults()
	c := checker{file: name, data: data}
	c.targets("routes", t.Routes, nil)
	c.targets("shadows", t.Shadows, t.Routes)
	c.record(t.Record)
	if err := errors.Join(c.faults...); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Table) applyDefaults() {
	if t.Record == nil {
		return
	}
	if t.Record.MaxBytes == 0 {
		t.Record.MaxBytes = defaultMaxBytes
	}
	if t.Record.Texts == "" {
		t.Record.Texts = TextsRedacted
	}
}

// checker collects what is wrong with a file.
type checker struct {
	file   string
	data   []byte
	faults []error
}

// faultf notes that the value at place is wrong: why, and what the remedy is.
func (c *checker) faultf(place, format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf("%s:%d: %s: %s", c.file, config.Line(c.data, place), place, fmt.Sprintf(format, args...)))
}

// wellNamed is what is easily read in logs, metrics and queries of them.
var wellNamed = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,39}$`)

// targets checks a list; others holds the targets of the lists before it.
func (c *checker) targets(list string, targets, others []Target) {
	for i, t := range targets {
		at := func(key string) string { return list + "[" + strconv.Itoa(i) + "]" + key }
		sameName := func(o Target) bool { return o.Name == t.Name }
		switch {
		case !wellNamed.MatchString(t.Name):
			c.faultf(at(".name"), "%.60q is no name; take 1 to 40 letters, digits, dots, hyphens and underscores, a letter or digit first", t.Name)
		case t.Name == Main:
			c.faultf(at(".name"), "%q means the logic service of LOGIC_ADDR, take another name", Main)
		case slices.ContainsFunc(targets[:i], sameName), slices.ContainsFunc(others, sameName):
			c.faultf(at(".name"), "%q is there twice; names tell routes and shadows apart, give each its own", t.Name)
		}
		c.entries(at(".accounts"), t.Accounts, "AppIDs")
		c.entries(at(".followers"), t.Followers, "OpenIDs")
		if t.Percent != nil && !(*t.Percent >= 0 && *t.Percent <= 100) { // so put, it refuses NaN as well.
			c.faultf(at(".percent"), "%v is no percentage, take a number from 0 to 100", *t.Percent)
		}
		if err := checkAddr(t.LogicAddr); err != nil {
			c.faultf(at(".logic_addr"), "%v", err)
		}
	}
}

// entries checks a list of ids.
func (c *checker) entries(place string, ids []string, what string) {
	for i, id := range ids {
		if id == "" || strings.TrimSpace(id) != id {
			c.faultf(place+"["+strconv.Itoa(i)+"]", "the entry is empty or has spaces around it; list %s, or leave the key out for all", what)
		}
	}
}

func (c *checker) record(r *Record) {
	if r == nil {
		return
	}
	if r.File == "" || filepath.Clean(r.File) != r.File {
		c.faultf("record.file", "%q is no path of a file, name the one that recordings go to; its folder has to be there", r.File)
	}
	c.entries("record.accounts", r.Accounts, "AppIDs")
	if r.MaxBytes < minMaxBytes {
		c.faultf("record.max_bytes", "%d is too short, take %d (1 MiB) or more", r.MaxBytes, minMaxBytes)
	}
	if !slices.Contains([]Texts{TextsRedacted, TextsFull, TextsNone}, r.Texts) {
		c.faultf("record.texts", "%.60q is unknown, take %s, %s or %s", r.Texts, TextsRedacted, TextsFull, TextsNone)
	}
}

// checkAddr finds what would otherwise show only as a service that is never reached. What resolvers other than
// that of DNS want is their business.
func checkAddr(addr string) error {
	const wanted = "take a gRPC target such as dns:///logic:50051"
	if addr == "" {
		return errors.New("the address is missing; " + wanted)
	}
	endpoint, found := strings.CutPrefix(addr, "dns:///")
	if !found && (strings.Contains(addr, "://") || strings.HasPrefix(addr, "unix:")) {
		return nil
	}
	host, port, err := net.SplitHostPort(endpoint)
	if err != nil || host == "" {
		return fmt.Errorf("%.100q is no host and port; %s", addr, wanted)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%.100q has no port from 1 to 65535; %s", addr, wanted)
	}
	return nil
}
