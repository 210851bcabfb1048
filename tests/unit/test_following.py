import pytest

from pagerforce.model.following import follows

P = "BMCServiceDesk__"
STATUS = f"{P}FKStatus__c"


@pytest.mark.parametrize(
    ("path", "written", "wanted"),
    [
        (STATUS, STATUS, True),
        (f"{P}FKStatus__r.Name", STATUS, True),
        (f"{P}Status_ID__c", STATUS, True),
        (f"{P}Impact_Id__c", f"{P}FKImpact__c", True),
        (f"{P}state__c", STATUS, True),
        (f"{P}FKClosedBy__r.Email", STATUS, True),
        ("Owner.Name", "OwnerId", True),
        ("IsClosed", "Status", True),
        (f"{P}FKPriority__c", STATUS, False),
        (f"{P}FKPriority__r.Name", f"{P}FKImpact__c", False),
        (f"{P}Total_Duration__c", STATUS, False),
        (f"{P}FKStatusX__r.Name", STATUS, False),
        ("OwnerIdX", "OwnerId", False),
    ],
)
def test_what_follows_from_a_write(path, written, wanted):
    assert follows(path, {written}) is wanted
