package menu

import (
	"fmt"
	"maps"
	"slices"

	"github.com/goccy/go-yaml"
)

// Write returns the file that describes the menu: Read of it gives the same menu.
func Write(m Menu) ([]byte, error) {
	file := yaml.MapSlice{{Key: "menu", Value: buttonsForFile(m.Buttons)}}
	if len(m.Conditional) > 0 {
		conditional := make([]yaml.MapSlice, 0, len(m.Conditional))
		for _, c := range m.Conditional {
			match := make(yaml.MapSlice, 0, len(c.Match))
			for _, key := range slices.Sorted(maps.Keys(c.Match)) {
				match = append(match, yaml.MapItem{Key: key, Value: c.Match.shown(key)})
			}
			conditional = append(conditional, yaml.MapSlice{
				{Key: "match", Value: match},
				{Key: "menu", Value: buttonsForFile(c.Buttons)},
			})
		}
		file = append(file, yaml.MapItem{Key: "conditional", Value: conditional})
	}
	data, err := yaml.MarshalWithOptions(file, yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("write the menu as YAML: %w", err)
	}

	return data, nil
}

func buttonsForFile(buttons []Button) []yaml.MapSlice {
	list := make([]yaml.MapSlice, 0, len(buttons))
	for _, b := range buttons {
		entry := yaml.MapSlice{{Key: "name", Value: b.Name}}
		switch b.Type {
		case "":
			entry = append(entry, yaml.MapItem{Key: "buttons", Value: buttonsForFile(b.Buttons)})
		case miniProgram:
			entry = append(entry, yaml.MapItem{Key: miniProgram, Value: yaml.MapSlice{
				{Key: "appid", Value: b.AppID}, {Key: "pagepath", Value: b.PagePath}, {Key: "url", Value: b.URL},
			}})
		default:
			entry = append(entry, yaml.MapItem{Key: b.Type, Value: *b.value()})
		}
		list = append(list, entry)
	}

	return list
}
