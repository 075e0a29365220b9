package logic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"

	"github.com/wxstack/wxstack/services/logic/internal/menu"
)

// MenuCommands are the commands that compare the custom menu (自定义菜单) of an account with a file, and change it.
// Of cfg they use the way to api-proxy only; no service has to run here.
func MenuCommands(cfg *Config) []lifecycle.Command {
	return []lifecycle.Command{
		{Command: config.Command{
			Name: "menu", Help: "Keep the account's custom menu (自定义菜单) in a file: pull it, compare, apply.",
		}},
		menuCommand(cfg, "menu diff", "Show what applying a menu file would change; exit code 0: nothing, 2: something, 1: an error.",
			new(menuDiffFlags), (*menuDiffFlags).run),
		menuCommand(cfg, "menu apply", "Change the account's menu to what a file says.",
			new(menuApplyFlags), (*menuApplyFlags).run),
		menuCommand(cfg, "menu pull", "Print the account's menu as a menu file.",
			new(menuPullFlags), (*menuPullFlags).run),
	}
}

// menuTimeout bounds a command, which makes a handful of calls.
const menuTimeout = 2 * time.Minute

func menuCommand[F interface{ account() string }](cfg *Config, name, help string, flags F, run func(F, context.Context, menu.Account, io.Writer) error) lifecycle.Command {
	return lifecycle.Command{
		Command: config.Command{Name: name, Help: help, Flags: flags}, Unchecked: true,
		Run: func(ctx context.Context, out io.Writer) error {
			ctx, cancel := context.WithTimeout(ctx, menuTimeout)
			defer cancel()
			conn, err := cfg.dialAPIProxy(telemetry.Discard())
			if err != nil {
				return err
			}
			account := menu.Account{Caller: apiproxyv1.NewApiProxyServiceClient(conn), AppID: flags.account()}

			return errors.Join(run(flags, ctx, account, out), conn.Close())
		},
	}
}

// accountFlag is what every command on the menu has.
type accountFlag struct {
	Account string `name:"account" help:"AppID of the account. May be left out if api-proxy has one account only."`
}

func (f *accountFlag) account() string { return f.Account }

type menuPullFlags struct {
	accountFlag
}

func (f *menuPullFlags) Help() string {
	return "For example: logic menu pull > menu.yaml"
}

func (f *menuPullFlags) run(ctx context.Context, account menu.Account, out io.Writer) error {
	have, err := account.Menu(ctx)
	if err != nil {
		return err
	}
	file, err := menu.Write(have)
	if err != nil {
		return err
	}
	title := "# The custom menu (自定义菜单). logic menu diff compares this file with the account, logic menu apply makes it so.\n"
	if len(have.Buttons) == 0 {
		title += "# WeChat knows no menu that was made by interface; one that was made in the console does not show here.\n"
	}
	if _, err := io.WriteString(out, title+string(file)); err != nil {
		return err
	}
	if _, _, err := menu.Read("menu.yaml", file); err != nil {
		return fmt.Errorf("the account's menu has what a menu file cannot say; change these lines before you apply it:\n%w", err)
	}

	return nil
}

type menuDiffFlags struct {
	accountFlag

	File string `arg:"" help:"The menu file, YAML."`
}

func (f *menuDiffFlags) Help() string {
	return "For example: logic menu diff menu.yaml --account wx0123456789abcdef. Lines that begin with - go, those with + come."
}

// differs is the exit code that tells a difference from an error.
const differs = 2

func (f *menuDiffFlags) run(ctx context.Context, account menu.Account, out io.Writer) error {
	plan, err := comparison(ctx, account, f.File, out)
	if err != nil {
		return err
	}
	if plan.Empty() {
		return nil
	}

	return &lifecycle.ExitError{Code: differs, Message: fmt.Sprintf("the account's menu is not that of %s; logic menu apply makes it so", f.File)}
}

// comparison reads a menu file, compares it with the account's menu, and shows the difference.
func comparison(ctx context.Context, account menu.Account, file string, out io.Writer) (menu.Plan, error) {
	data, err := config.ReadFile(file)
	if err != nil {
		return menu.Plan{}, fmt.Errorf("menu file: %w", err)
	}
	want, warnings, err := menu.Read(file, data)
	if err != nil {
		return menu.Plan{}, err
	}
	have, err := account.Menu(ctx)
	if err != nil {
		return menu.Plan{}, err
	}
	plan := menu.Compare(have, want)
	var text strings.Builder
	for _, warning := range warnings {
		fmt.Fprintf(&text, "warning: %s\n", warning)
	}
	if plan.Empty() {
		fmt.Fprintf(&text, "nothing to change; the menu is\n\n%s", want.Tree())
	} else {
		fmt.Fprintf(&text, "%s\nthe menu will be\n\n%s", plan.Diff(), want.Tree())
	}
	_, err = io.WriteString(out, text.String())

	return plan, err
}

type menuApplyFlags struct {
	accountFlag

	File   string `arg:"" help:"The menu file, YAML."`
	Delete bool   `name:"delete" help:"Let an empty menu (menu: []) delete the account's menu, with all conditional ones."`
}

func (f *menuApplyFlags) Help() string {
	return "For example: logic menu apply menu.yaml. It shows the difference first, and calls nothing where there is none. " +
		"Followers see the new menu when they enter the account again, within five minutes."
}

func (f *menuApplyFlags) run(ctx context.Context, account menu.Account, out io.Writer) error {
	plan, err := comparison(ctx, account, f.File, out)
	if err != nil || plan.Empty() {
		return err
	}
	if plan.DeletesMenu() && !f.Delete {
		return fmt.Errorf("%s has no buttons: nothing was changed; with --delete the account's menu is deleted, with all conditional ones", f.File)
	}
	steps, made := plan.Steps(), 0
	fmt.Fprintln(out)
	err = account.Apply(ctx, steps, func(step menu.Step) {
		made++
		fmt.Fprintf(out, "done: %s\n", step.Does)
	})
	if err != nil {
		return fmt.Errorf("%w\n(%d of %d changes were made; running it again is safe, it makes only those that are left)", err, made, len(steps))
	}

	return nil
}
