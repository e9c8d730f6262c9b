# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: recorder
type: notification
short_description: Records a playbook run in the store of fraisier.deploy
version_added: 0.1.0
author:
  - fraisier.deploy contributors (!UNKNOWN)
description:
  - Starts the recorder, a side process that alone talks to the store, and hands it one event for each task result.
  - Never waits for the store. While the store is away, events are kept on disk and stored by the next run.
  - The actions of this collection speak with the same process, so a deployment needs this callback.
  - Task arguments are never recorded. Messages are recorded only of tasks that failed and do not set C(no_log), with secrets taken out.
requirements:
  - Python packages C(SQLAlchemy) 2.0 and C(alembic); C(psycopg) for PostgreSQL, C(pymysql) for MySQL and MariaDB.
options:
  store_url:
    description:
      - URL of the store, C(sqlite:////absolute/path), C(postgresql://user:password@host/database) or C(mysql://user:password@host/database).
      - By default a SQLite file C(fraisier/store.db) in the user's XDG state folder.
    type: str
    default: ''
    ini:
      - section: fraisier
        key: store_url
    env:
      - name: FRAISIER_STORE_URL
  store_required:
    description: Whether a deployment halts at its next gate when the store goes away. By default it goes on and the events wait on disk.
    type: bool
    default: false
    ini:
      - section: fraisier
        key: store_required
    env:
      - name: FRAISIER_STORE_REQUIRED
  store_timeout:
    description: Seconds after which one call to the store is given up.
    type: float
    default: 2.0
    ini:
      - section: fraisier
        key: store_timeout
    env:
      - name: FRAISIER_STORE_TIMEOUT
  store_auto_migrate:
    description: Whether a store with an older schema is migrated by the run that meets it. Otherwise run the playbook C(fraisier.deploy.store).
    type: bool
    default: true
    ini:
      - section: fraisier
        key: store_auto_migrate
    env:
      - name: FRAISIER_STORE_AUTO_MIGRATE
  spool_path:
    description: Folder of the events that wait for the store. By default C(fraisier/spool) in the user's XDG state folder.
    type: str
    default: ''
    ini:
      - section: fraisier
        key: spool_path
    env:
      - name: FRAISIER_SPOOL_PATH
  lease_seconds:
    description: Seconds for which the lock of a deployment outlives a controller that was killed.
    type: float
    default: 30
    ini:
      - section: fraisier
        key: lease_seconds
    env:
      - name: FRAISIER_LEASE_SECONDS
  heartbeat_seconds:
    description: Seconds between two renewals of the lease.
    type: float
    default: 10
    ini:
      - section: fraisier
        key: heartbeat_seconds
    env:
      - name: FRAISIER_HEARTBEAT_SECONDS
"""

import os

from ansible.plugins.callback import CallbackBase

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.learned import learn
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.redaction import secret_values
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.events import RunEvents
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.feeder import Feeder
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.plays import is_ours
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import FAULT_VARIABLE
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.settings import recorder_settings
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.warm_up import warm_up


class CallbackModule(CallbackBase):
    """Turns what Ansible does into events. All knowledge lies in plugin_utils/recorder."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "fraisier.deploy.recorder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._events = None
        self._feeder = None
        self._told = self._warm = False

    def set_options(self, task_keys=None, var_options=None, direct=None):
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        self._events = RunEvents(self._emit)
        try:
            settings = recorder_settings(self.get_option)
        except FraisierError as error:
            os.environ[FAULT_VARIABLE] = str(error)  # Ansible skips a callback that raises: our actions give the reason then
            raise
        learn(secret_values(settings["store_url"]))
        self._feeder = Feeder(self._events.run, settings)

    def _emit(self, event_type, data, host=None):
        self._feeder.emit(event_type, data, host)
        if self._feeder.lost_recorder and not self._told:
            self._told = True
            self._warn(f"{self._feeder.lost_recorder}; events of this run are kept on disk and stored by the next one")

    def _warn(self, text):
        self._display.warning(f"fraisier.deploy.recorder: {text}")

    def v2_playbook_on_start(self, playbook):
        try:
            self._feeder.start(idle=not is_ours(playbook))
        except OSError as error:
            os.environ[FAULT_VARIABLE] = str(error)
            raise
        self._events.playbook_started(playbook)

    def v2_playbook_on_play_start(self, play):
        self._events.play_started(play)

    def v2_playbook_on_task_start(self, task, is_conditional):
        if not self._warm and str(task.action).startswith("fraisier.deploy."):
            self._warm = True
            warm_up()
        self._events.task_started(task)

    def v2_playbook_on_handler_task_start(self, task):
        self._events.task_started(task)

    def v2_runner_on_ok(self, result):
        self._events.result(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._events.result(result, "failed")

    def v2_runner_on_unreachable(self, result):
        self._events.result(result, "unreachable")

    def v2_runner_on_skipped(self, result):
        self._events.result(result, "skipped")

    def v2_playbook_on_stats(self, stats):
        self._events.playbook_ended(stats)
        report = self._feeder.close()
        lost = report["sent"] - report["stored"] - report["spooled"]
        if report["waiting"]:
            away = "the store is away; " if report.get("away") else ""
            self._warn(f"{away}{report['waiting']} events wait in {self._feeder.settings['spool']} for the next run")
        if lost > 0:
            self._warn(f"{report['sent']} events sent, but {report['stored']} stored and {report['spooled']} kept: {lost} lost")
        for note in report["notes"]:
            if not (self._told and note == self._feeder.lost_recorder):
                self._warn(note)
