"""The shape and wording of input about backups."""

from django import forms

from .services import MAX_NAME_LENGTH


class RenameForm(forms.Form):
    name = forms.CharField(max_length=MAX_NAME_LENGTH)
