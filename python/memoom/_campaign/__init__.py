"""Campaigns: a command is OOM-killed at many moments, and a check looks at what each kill leaves behind."""

from __future__ import annotations

from .drive import campaign
from .results import Campaign, CampaignMoment

__all__ = ["Campaign", "CampaignMoment", "campaign"]
